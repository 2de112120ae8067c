import { once } from 'node:events';
import { serverDial } from '../../agent/client/dial.ts';
import { openControlConnection } from '../../agent/control/mqtt-connection.ts';
import { systemClock } from '../../host/clock.ts';
import { ALPN_MQTT } from '../../wire/control.ts';
import { LightCamera } from '../simulation/light-camera.ts';
import { LIGHT_HOST, makeLightServer } from '../simulation/light-server.ts';

/**
 * Cameras that are only connected, each as an agent is: over HTTP and over control. Reads lines on stdin: `make N` makes a
 * server's directory with N cameras; `connect PORT N` connects up to N of them. Answers each with a line.
 */
const [directory = ''] = process.argv.slice(2);
const AT_ONCE = 20;

let testServer: Awaited<ReturnType<typeof makeLightServer>> | undefined;
let connected = 0;

async function connect(port: number, index: number): Promise<void> {
  const identity = testServer?.identities[index];
  if (testServer === undefined || identity === undefined) throw new Error('no such camera');
  const { device, certificate } = identity;
  const origin = `https://${LIGHT_HOST}:${port}`;
  const server = serverDial({ server: { origin, pins: testServer.pins }, device, trustedTimeMs: () => 0 });
  const admitted = Promise.withResolvers<void>();
  const camera = new LightCamera(
    server.dialWith(() => certificate),
    server.authority,
    {
      onConnected: () => undefined,
      onAdmitted: () => admitted.resolve(),
      onFailure: () => fail(new Error('a connection broke off')),
    },
  );
  const forever = new AbortController().signal;
  camera.run(forever).catch(fail);
  await admitted.promise;
  const socket = await server.dialWith(() => certificate, ALPN_MQTT)(forever);
  await openControlConnection(socket, {
    camera: device.camera,
    keepaliveSeconds: 30,
    answerMs: 30_000,
    onRequest: () => undefined,
    onClosed: () => fail(new Error('control broke off')),
    signal: forever,
    monotonic: systemClock.monotonic,
  });
}

function fail(error: unknown): never {
  console.error(error);
  process.exit(1);
}

let rest = '';
process.stdin.setEncoding('utf8');
while (true) {
  const end = rest.indexOf('\n');
  if (end < 0) {
    const [chunk] = (await Promise.race([
      once(process.stdin, 'data'),
      once(process.stdin, 'end').then(() => process.exit(0)),
    ])) as [string];
    rest += chunk;
    continue;
  }
  const [verb, ...words] = rest.slice(0, end).split(' ');
  rest = rest.slice(end + 1);
  if (verb === 'make') {
    testServer = await makeLightServer(directory, Number(words[0]));
  } else {
    const [port = 0, count = 0] = words.map(Number);
    while (connected < count) {
      const next = Math.min(AT_ONCE, count - connected);
      await Promise.all(Array.from({ length: next }, (_, index) => connect(port, connected + index)));
      connected += next;
    }
  }
  console.log('done');
}
