import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { breakBuild } from '../broken-build.ts';
import { makeClip } from './clips.ts';
import { plaintextIn, plaintextUnder, recordingPackets } from './plaintext.ts';
import { TestDeployment, type TestDeploymentOptions } from './test-deployment.ts';
import { until } from './until.ts';

/** The server is blind, and nothing leaves the camera's memory that is not sealed. */

const MARKER = 'a-marker-painted-into-the-bitstream-4711';
const SPOOLED_BYTES = 50_000;
const EVERYTHING = ['ftypiso', 'moof', 'mdat', 'avcC', MARKER];

const directory = mkdtempSync(join(tmpdir(), 'oriel-plaintext-'));
const clip = makeClip({ path: join(directory, 'clip.mp4'), seconds: 4, marker: MARKER });
afterAll(() => rmSync(directory, { recursive: true }));

interface Findings {
  readonly spool: { readonly found: string[]; readonly bytes: number };
  readonly server: { readonly found: string[]; readonly bytes: number };
  /** What the server keeps of the camera's recording, bytes: it all came over the wire. */
  readonly footageBytes: number;
  readonly packets: Buffer;
  /** The movie that the viewing key opens; undefined when it opens none. */
  readonly movie: Buffer | undefined;
}

/** Whether a spool holds a segment from its first byte on, which the init segment follows, and some video (docs/design/spool.md). */
function holdsBeginning(spool: string): boolean {
  const files = readdirSync(spool, { recursive: true, encoding: 'utf8' });
  const beginnings = files.filter((file) => /[/]\d{6}[.]72[.]records$/.test(file));
  return beginnings.some((file) => statSync(join(spool, file)).size > SPOOLED_BYTES);
}

/** A camera films, loses its line so that it has to spool, gets it back and uploads. What lies where? */
function filmAndSearch(wish: Partial<TestDeploymentOptions>): Promise<Findings> {
  return TestDeployment.with({ source: `file:${clip}?loop`, ...wish }, async (deployment) => {
    const spooled = join(deployment.directory, 'spooled');
    const packets = await recordingPackets(
      deployment.relay.port,
      join(deployment.directory, 'packets'),
      async () => {
        await deployment.startCamera();
        deployment.relay.cut();
        await deployment.captures(4);
        const spool = join(deployment.cameraDirectory, 'spool');
        await until('the spool holds a segment from its beginning', () => holdsBeginning(spool));
        cpSync(spool, spooled, { recursive: true });
        deployment.relay.mend();
        await deployment.drains();
        await deployment.endCamera();
      },
    );
    expect(deployment.status.acknowledgedSeconds).toBeGreaterThan(4);
    const out = join(deployment.directory, 'movie.mp4');
    const { code } = await deployment.footage('open', '--out', out);
    return {
      spool: plaintextUnder(spooled, [MARKER]),
      server: plaintextUnder(deployment.parts.serverDirectory, [MARKER]),
      footageBytes: plaintextUnder(join(deployment.parts.serverDirectory, 'footage'), []).bytes,
      packets,
      movie: code === 0 ? readFileSync(out) : undefined,
    };
  });
}

test.concurrent("neither the server's disk, nor the camera's spool, nor the wire hold anything of the video that is not sealed [TM-05] [TM-10]", async () => {
  const { spool, server, footageBytes, packets, movie } = await filmAndSearch({});
  expect(spool).toEqual({ found: [], bytes: expect.any(Number) });
  expect(server).toEqual({ found: [], bytes: expect.any(Number) });
  expect(plaintextIn(packets, [MARKER])).toEqual([]);
  // There was something to find: it is in the source, and in what the viewing key opens.
  expect(readFileSync(clip).includes(MARKER)).toBe(true);
  expect(plaintextIn(movie ?? Buffer.of(), [MARKER])).toEqual(EVERYTHING);
  expect(spool.bytes).toBeGreaterThan(SPOOLED_BYTES);
  expect(footageBytes).toBeGreaterThan(spool.bytes);
  expect(packets.length).toBeGreaterThan(footageBytes);
});

test.concurrent('with sealing switched off, the same search finds boxes and marker on both disks', async () => {
  const broken = breakBuild({
    file: 'crypto/primitives-node.ts',
    from: 'out.set(sealed, at);',
    to: 'out.set(plaintext, at);',
  });
  const { spool, server, movie } = await filmAndSearch({ camera: broken.oriel }).finally(() =>
    broken.remove(),
  );
  expect(spool.found.sort()).toEqual([...EVERYTHING].sort());
  expect(server.found.sort()).toEqual([...EVERYTHING].sort());
  expect(movie).toBeUndefined();
});

test.concurrent('sent in the clear, the same search finds boxes and marker in the packets [TM-05]', async () => {
  const film = Buffer.concat([
    readFileSync(clip),
    Buffer.from('\0\0\0\x18moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x01\0\0\0\x08mdat'),
  ]);
  const receiver = createServer((socket) => socket.resume().on('end', () => socket.end()));
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  const { port } = receiver.address() as AddressInfo;
  const packets = await recordingPackets(port, join(directory, 'packets'), async () => {
    const socket = connect(port, '127.0.0.1');
    socket.end(film);
    await once(socket.resume(), 'close');
  });
  receiver.close();
  expect(plaintextIn(packets, [MARKER]).sort()).toEqual([...EVERYTHING].sort());
});
