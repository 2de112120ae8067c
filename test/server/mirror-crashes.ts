import { spawn } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitOf } from '../exit-of.ts';
import { MirrorHome } from './mirror-deployment.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A mirror that is killed on its way from one edition to the next, each time from the same beginning. */
export class MirrorKills {
  readonly home = new MirrorHome();
  #before: Record<string, string> = {};
  #after: Record<string, string> = {};
  /** How many calls change the disk on the way. */
  calls: readonly string[] = [];

  async begin(): Promise<void> {
    const { home } = this;
    await home.begin();
    await home.release('the agent');
    await home.check();
    await home.check();
    this.#before = home.given;
    cpSync(home.places.directory, this.#copy, { recursive: true });
    await home.release('the next agent');
    this.calls = (await this.#run(0)).calls;
    this.#after = home.given;
  }

  get #copy(): string {
    return join(this.home.maker.directory, 'copy');
  }

  /** Kills a check before a call, and has another go on. @returns what is wrong after either. */
  async tryPoint(point: number): Promise<string[]> {
    const { home } = this;
    rmSync(home.places.directory, { recursive: true });
    cpSync(this.#copy, home.places.directory, { recursive: true });
    const { killed } = await this.#run(point);
    const faults = killed ? [] : [`call ${point} was not reached`];
    const timestamp = home.given['metadata/timestamp.json'];
    const whole = timestamp === this.#before['metadata/timestamp.json'] ? this.#before : this.#after;
    faults.push(...differences(whole, home.given).map((path) => `killed at call ${point}: ${path}`));
    await home.check();
    faults.push(...differences(this.#after, home.given).map((path) => `after call ${point}: ${path}`));
    return faults;
  }

  /** @param point 0 kills nothing. */
  async #run(point: number): Promise<{ calls: string[]; killed: boolean }> {
    const { home } = this;
    const { places, maker } = home;
    const [notes, root] = [join(maker.directory, 'notes'), join(maker.directory, 'first-root.json')];
    writeFileSync(notes, '');
    writeFileSync(root, home.firstRoot);
    const args = [home.directory, maker.server.url, root, String(maker.nowMs)];
    const child = spawn(
      process.execPath,
      ['--import', at('../crash/crash-point.ts'), at('mirror-process.ts'), ...args],
      {
        stdio: 'inherit',
        env: { ...process.env, KILL_BELOW: places.directory, KILL_AT: String(point), KILL_NOTES: notes },
      },
    );
    const [code, signal] = await exitOf(child);
    if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the check ended with ${code}`);
    return { calls: readFileSync(notes, 'utf8').trim().split('\n'), killed: signal === 'SIGKILL' };
  }

  end(): Promise<void> {
    return this.home.end();
  }
}

/** Paths of `whole` that are missing or of another content. */
const differences = (whole: Record<string, string>, here: Record<string, string>): string[] =>
  Object.keys(whole).filter((path) => here[path] !== whole[path]);
