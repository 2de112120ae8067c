import { SERVER_DIRECTORY } from '../fleet.ts';
import { acknowledged, finding, type Scene, wentOn } from '../scene.ts';
import { pause, until } from '../wait.ts';

/** One camera is shut out; the others must not notice. */
export const revoked: Scene = {
  name: 'revoked',
  title: 'one camera is revoked',
  seconds: 20,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const victim = fleet.cameras.at(-1);
    if (victim === undefined) return [];
    await fleet.orielDoes('server', 'camera', 'revoke', SERVER_DIRECTORY, victim.id);
    victim.revoked = true;
    await until(
      `${victim.name} is refused`,
      async () => ((await fleet.status(victim))?.status.uplink.refusals?.CAMERA_REVOKED ?? 0) > 0,
      { signal: fleet.signal },
    );
    say(`${victim.name} is shut out`);
    const before = await acknowledged(stage);
    await pause(seconds * 1000, fleet.signal);
    const after = await acknowledged(stage);
    const others = fleet.cameras.filter((camera) => !camera.revoked);
    return [
      finding(`${victim.name} delivers nothing more`, after.get(victim) === before.get(victim)),
      finding('the others deliver on', wentOn(others, before, after, seconds)),
    ];
  },
};
