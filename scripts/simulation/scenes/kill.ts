import { finding, type Scene } from '../scene.ts';
import { pause } from '../wait.ts';

/** One camera is killed as the kernel kills, with everything that runs in it, and started again. */
export const kill: Scene = {
  name: 'kill',
  title: 'one camera is killed, and started again',
  seconds: 5,
  async play({ fleet, seconds, say }) {
    const [victim] = fleet.cameras;
    if (victim === undefined) return [];
    const container = await fleet.container(victim.name);
    const before = (await fleet.status(victim))?.status.account?.lives ?? 0;
    victim.kills += 1;
    await fleet.docker('kill', '--signal', 'KILL', container);
    say(`${victim.name} killed`);
    await pause(1000, fleet.signal);
    await fleet.docker('start', container);
    await fleet.records(victim);
    say(`${victim.name} records again`);
    await pause(seconds * 1000, fleet.signal);
    const after = (await fleet.status(victim))?.status.account?.lives ?? 0;
    return [finding(`${victim.name} knows of its former life`, after === before + 1)];
  },
};
