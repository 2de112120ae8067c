import { broughtTo, digestOf, OLD, runUpdater } from './camera.ts';
import { type Kills, launcherKills, updaterKills } from './crashes.ts';
import { littleRelease } from './little-release.ts';
import type { Volume } from './volume.ts';
import { ROOT, World } from './world.ts';

const MIB = 1024 * 1024;

/** An update from a real repository to a little release, in which updater and launcher are killed. */
export class LittleUpdate {
  readonly world = new World();
  #flashed: Volume | undefined;
  #brought: Volume | undefined;
  #wanted = '';

  async begin(): Promise<void> {
    const { world } = this;
    this.#flashed = await world.begin((counter) => littleRelease(counter, counter === OLD), 32 * MIB);
    const brought = world.volumes.cut(this.#flashed);
    world.volumes.mount(brought);
    const { code, lines } = await runUpdater(brought, world.parts());
    if (code !== 0) throw new Error(`the updater ended with ${code}: ${lines.join('\n')}`);
    this.#wanted = digestOf(broughtTo(brought));
    await world.volumes.unmount(brought);
    this.#brought = brought;
  }

  /** A camera that knows nothing of the new release. */
  get flashed(): Volume {
    return this.#flashed as Volume;
  }

  /** One that has fetched it. */
  get brought(): Volume {
    return this.#brought as Volume;
  }

  /** @param root where Oriel's sources lie. */
  updater(root = ROOT): Kills {
    return updaterKills(this.world.volumes, this.flashed, this.world.parts(root), this.#wanted);
  }

  launcher(root = ROOT): Kills {
    return launcherKills(this.world.volumes, this.brought, this.world.parts(root));
  }

  end(): Promise<void> {
    return this.world.end();
  }
}
