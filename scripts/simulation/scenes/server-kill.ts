import { captured, finding, type Scene, wentOn } from '../scene.ts';
import { pause } from '../wait.ts';

const KILLS = 3;

/** The server is killed while it writes, more than once. */
export const serverKill: Scene = {
  name: 'server-kill',
  title: 'the server is killed while it writes, and started again, three times',
  seconds: 10,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const server = await fleet.container('server');
    const before = await captured(stage);
    for (let kill = 1; kill <= KILLS; kill++) {
      await pause((seconds / KILLS) * 1000, fleet.signal);
      await fleet.docker('kill', '--signal', 'KILL', server);
      say(`server killed, ${kill} of ${KILLS}`);
      await fleet.docker('start', server);
      await fleet.serverRuns();
    }
    const after = await captured(stage);
    return [finding('every camera recorded on meanwhile', wentOn(fleet.cameras, before, after, seconds))];
  },
};
