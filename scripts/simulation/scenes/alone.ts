import { networkInterfaces } from 'node:os';
import { type Camera, type Fleet, NODE_IN_IMAGE } from '../fleet.ts';
import { type Finding, finding, type Scene } from '../scene.ts';

interface Target {
  readonly host: string;
  readonly port: number;
}

/** A port that nobody has: where a machine is reached, it refuses. */
const NO_PORT = 9;
const FAR_AWAY: Target = { host: '9.9.9.9', port: 443 };
const PATIENCE_MS = 4000;
/** Says for each target whether anybody answered, a refusal being an answer. */
const DIAL = `
const { connect } = require('node:net');
const dial = ({ host, port }) => new Promise((resolve) => {
  const socket = connect({ host, port, timeout: ${PATIENCE_MS} });
  const end = (answered) => { socket.destroy(); resolve(answered); };
  socket.on('connect', () => end(true)).on('timeout', () => end(false));
  socket.on('error', ({ code }) => end(code === 'ECONNREFUSED'));
});
Promise.all(JSON.parse(process.argv[1]).map(dial)).then((answers) => console.log(JSON.stringify(answers)));`;

/** Whom each camera can reach: its server, and nobody else. */
export const alone: Scene = {
  name: 'alone',
  title: 'each camera dials its server, another camera, this machine and the world',
  seconds: 1,
  async play({ fleet }) {
    const findings: Finding[] = [];
    for (const camera of fleet.cameras) {
      const others = await Promise.all(
        fleet.cameras.filter((other) => other !== camera).map((other) => at(fleet, other)),
      );
      const [server, ...rest] = await dial(fleet, camera, [
        { host: 'server', port: 8443 },
        FAR_AWAY,
        ...hostAddresses(),
        ...others,
      ]);
      findings.push(finding(`${camera.name} reaches its server`, server === true));
      findings.push(
        finding(`${camera.name} reaches nobody else (${rest.length} tried)`, !rest.includes(true)),
      );
    }
    const [first, second] = fleet.cameras;
    if (first !== undefined && second !== undefined) findings.push(await control(fleet, first, second));
    return findings;
  },
};

/** On a line with another camera it does reach it: what was tried above can be seen. */
async function control(fleet: Fleet, first: Camera, second: Camera): Promise<Finding> {
  const container = await fleet.container(first.name);
  await fleet.docker('network', 'connect', fleet.lineOf(second), container);
  try {
    const [reached] = await dial(fleet, first, [await at(fleet, second)]);
    return finding(`on one line with ${second.name}, ${first.name} would reach it`, reached === true);
  } finally {
    await fleet.docker('network', 'disconnect', fleet.lineOf(second), container);
  }
}

async function dial(fleet: Fleet, camera: Camera, targets: readonly Target[]): Promise<readonly boolean[]> {
  const command = [NODE_IN_IMAGE, '-e', DIAL, JSON.stringify(targets)];
  return JSON.parse(await fleet.docker('exec', await fleet.container(camera.name), ...command));
}

/** Where a camera is on its own line. */
async function at(fleet: Fleet, camera: Camera): Promise<Target> {
  const address = `{{(index .NetworkSettings.Networks "${fleet.lineOf(camera)}").IPAddress}}`;
  const host = await fleet.docker('inspect', '--format', address, await fleet.container(camera.name));
  return { host: host.trim(), port: NO_PORT };
}

/** This machine, by each of its addresses. */
function hostAddresses(): Target[] {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return addresses
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => ({ host: address, port: NO_PORT }));
}
