import { captured, finding, type Scene, wentOn } from '../scene.ts';
import { pause, until } from '../wait.ts';
import { fillDisk, freeDisk } from './disk.ts';

/** The server's disk is full, then it is not. */
export const serverFull: Scene = {
  name: 'server-full',
  title: "the server's disk is full, then not",
  seconds: 30,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const before = await captured(stage);
    await fillDisk(fleet, 'server');
    say("the server's disk is full");
    try {
      await until(
        'every camera is told that the disk is full',
        async () => {
          const statuses = [...(await fleet.statuses()).values()];
          return statuses.every(({ uplink }) => (uplink.refusals?.STORAGE_FULL ?? 0) > 0);
        },
        { signal: fleet.signal },
      );
      await pause(seconds * 1000, fleet.signal);
    } finally {
      await freeDisk(fleet, 'server');
    }
    say('it has room again');
    const after = await captured(stage);
    return [
      finding('every camera was told why nothing is stored', true),
      finding('every camera recorded on meanwhile', wentOn(fleet.cameras, before, after, seconds)),
    ];
  },
};
