import { acknowledged, captured, finding, type Scene, wentOn } from '../scene.ts';
import { pause } from '../wait.ts';

/** One camera loses its network; the others must not notice. */
export const cut: Scene = {
  name: 'cut',
  title: 'one camera is cut off',
  seconds: 30,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const [victim, ...others] = fleet.cameras;
    if (victim === undefined) return [];
    const container = await fleet.container(victim.name);
    await fleet.docker('network', 'disconnect', fleet.lineOf(victim), container);
    say(`${victim.name} is cut off for ${seconds} s`);
    const before = { captured: await captured(stage), acknowledged: await acknowledged(stage) };
    await pause(seconds * 1000, fleet.signal);
    const after = { captured: await captured(stage), acknowledged: await acknowledged(stage) };
    await fleet.docker('network', 'connect', fleet.lineOf(victim), container);
    return [
      finding(`${victim.name} recorded on`, wentOn([victim], before.captured, after.captured, seconds)),
      finding('the others delivered on', wentOn(others, before.acknowledged, after.acknowledged, seconds)),
    ];
  },
};
