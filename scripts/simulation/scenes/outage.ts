import { captured, finding, type Scene, wentOn } from '../scene.ts';
import { pause } from '../wait.ts';

/** The server is away for a while. */
export const outage: Scene = {
  name: 'outage',
  title: 'the server is away',
  seconds: 120,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const server = await fleet.container('server');
    await fleet.docker('stop', server);
    say(`the server is away for ${seconds} s`);
    const before = await captured(stage);
    await pause(seconds * 1000, fleet.signal);
    const after = await captured(stage);
    await fleet.docker('start', server);
    await fleet.serverRuns();
    return [
      finding('every camera recorded on without the server', wentOn(fleet.cameras, before, after, seconds)),
    ];
  },
};
