import { fileURLToPath } from 'node:url';
import { NODE_IN_IMAGE } from '../fleet.ts';
import { captured, finding, type Scene, wentOn } from '../scene.ts';
import { pause } from '../wait.ts';

const RELAY = fileURLToPath(new URL('../relay.ts', import.meta.url));
/** Well below what a camera films. */
const BYTES_PER_SECOND = 8 * 1024;

/** One camera's line is slower than what it films: a relay stands in the server's place. */
export const slow: Scene = {
  name: 'slow',
  title: "one camera's line is slower than its pictures",
  seconds: 30,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const [victim] = fleet.cameras;
    if (victim === undefined) return [];
    const line = fleet.lineOf(victim);
    const [relay, beyond] = [`${line}-relay`, `${line}-beyond`];
    const server = await fleet.container('server');
    await fleet.docker('network', 'create', '--internal', beyond);
    try {
      await fleet.docker('network', 'connect', '--alias', 'beyond', beyond, server);
      await fleet.docker(
        ...['run', '--detach', '--name', relay, '--network', beyond, '--read-only', '--cap-drop=ALL'],
        ...['--volume', `${RELAY}:/relay.ts:ro`, fleet.images.server, NODE_IN_IMAGE, '/relay.ts'],
        ...['8443', 'beyond', '8443', String(BYTES_PER_SECOND)],
      );
      await fleet.docker('network', 'disconnect', line, server);
      await fleet.docker('network', 'connect', '--alias', 'server', line, relay);
      say(`${victim.name} has ${BYTES_PER_SECOND / 1024} KiB/s`);
      const before = await captured(stage);
      await pause(seconds * 1000, fleet.signal);
      const after = await captured(stage);
      const held = (await fleet.status(victim))?.status.heldSeconds ?? 0;
      return [
        finding(`${victim.name} recorded on`, wentOn([victim], before, after, seconds)),
        finding(`${victim.name} kept what did not get through (${held.toFixed(1)} s)`, held > 2),
      ];
    } finally {
      await fleet.docker('rm', '--force', relay);
      await fleet.docker('network', 'disconnect', '--force', beyond, server);
      await fleet.docker('network', 'rm', beyond);
      await fleet.docker('network', 'connect', '--alias', 'server', line, server).catch(() => undefined);
    }
  },
};
