import { existsSync } from 'node:fs';
import { SimulationError } from '../errors.ts';
import { captured, finding, type Scene, wentOn } from '../scene.ts';
import { pause } from '../wait.ts';

const FOLDER = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/faketime`;

/** The launcher hands LD_PRELOAD on to no process, so that agent and capture are started without it, in the directory it made. */
const COMMAND = [
  'sh',
  '-c',
  'oriel camera capture /camera & capture=$!; oriel camera agent /camera & agent=$!; ' +
    'trap "kill $capture $agent" TERM; wait $agent; wait $agent; wait $capture',
];

/** One camera's clock stands at 1970, as that of a board without a battery does. */
export const nineteenSeventy: Scene = {
  name: '1970',
  title: "one camera's clock stands at 1970",
  seconds: 20,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const [victim] = fleet.cameras;
    if (victim === undefined) return [];
    if (!existsSync(FOLDER))
      throw new SimulationError('COMMAND_FAILED', `faketime is not installed: ${FOLDER}`);
    await fleet.docker('stop', await fleet.container(victim.name));
    await fleet.remake(victim, {
      command: COMMAND,
      mounts: [`${FOLDER}:/clock:ro`],
      environment: {
        LD_PRELOAD: '/clock/libfaketime.so.1',
        FAKETIME: '@1970-01-01 00:10:00',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    try {
      await fleet.records(victim);
      say(`${victim.name} runs in 1970`);
      const before = await captured(stage);
      await pause(seconds * 1000, fleet.signal);
      const after = await captured(stage);
      const clock = (await fleet.status(victim))?.status.clock;
      return [
        finding(`${victim.name} records`, wentOn([victim], before, after, seconds)),
        finding(`${victim.name} goes by the server's time`, clock?.source === 'server'),
      ];
    } finally {
      fleet.willBe(victim, undefined);
    }
  },
};
