import { captured, finding, type Scene, wentOn } from '../scene.ts';
import { pause, until } from '../wait.ts';
import { fillDisk, freeDisk } from './disk.ts';

/** One camera's disk is full while it has nowhere else to put what it films. */
export const cameraFull: Scene = {
  name: 'camera-full',
  title: 'one camera has a full disk while it is cut off',
  seconds: 30,
  mayDrop: true,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const [victim] = fleet.cameras;
    if (victim === undefined) return [];
    const container = await fleet.container(victim.name);
    await fleet.docker('network', 'disconnect', fleet.lineOf(victim), container);
    await until(
      `${victim.name} has spooled something`,
      async () => ((await fleet.status(victim))?.status.spooledBytes ?? 0) > 0,
      { signal: fleet.signal },
    );
    await fillDisk(fleet, victim.name);
    say(`${victim.name} is cut off, and its disk is full`);
    const before = await captured(stage);
    try {
      await pause(seconds * 1000, fleet.signal);
    } finally {
      await freeDisk(fleet, victim.name);
      await fleet.docker('network', 'connect', fleet.lineOf(victim), container);
    }
    say(`${victim.name} has room and a network again`);
    await pause(2000, fleet.signal);
    const after = await captured(stage);
    return [finding(`${victim.name} recorded on`, wentOn([victim], before, after, seconds))];
  },
};
