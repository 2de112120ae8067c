import { spawn } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitOf } from '../exit-of.ts';
import { MirrorDeployment } from './mirror-deployment.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A mirror that is killed on its way from one edition to the next, each time from the same beginning. */
export class MirrorKills {
  readonly deployment = new MirrorDeployment();
  #before: Record<string, string> = {};
  #after: Record<string, string> = {};
  /** How many calls change the disk on the way. */
  calls: readonly string[] = [];

  async begin(): Promise<void> {
    const { deployment } = this;
    await deployment.begin();
    await deployment.release('the agent');
    await deployment.check();
    await deployment.check();
    this.#before = deployment.given;
    cpSync(deployment.places.directory, this.#copy, { recursive: true });
    await deployment.release('the next agent');
    this.calls = (await this.#run(0)).calls;
    this.#after = deployment.given;
  }

  get #copy(): string {
    return join(this.deployment.maker.directory, 'copy');
  }

  /** Kills a check before a call, and has another go on. @returns what is wrong after either. */
  async tryPoint(point: number): Promise<string[]> {
    const { deployment } = this;
    rmSync(deployment.places.directory, { recursive: true });
    cpSync(this.#copy, deployment.places.directory, { recursive: true });
    const { killed } = await this.#run(point);
    const faults = killed ? [] : [`call ${point} was not reached`];
    const timestamp = deployment.given['metadata/timestamp.json'];
    const whole = timestamp === this.#before['metadata/timestamp.json'] ? this.#before : this.#after;
    faults.push(...differences(whole, deployment.given).map((path) => `killed at call ${point}: ${path}`));
    await deployment.check();
    faults.push(...differences(this.#after, deployment.given).map((path) => `after call ${point}: ${path}`));
    return faults;
  }

  /** @param point 0 kills nothing. */
  async #run(point: number): Promise<{ calls: string[]; killed: boolean }> {
    const { deployment } = this;
    const { places, maker } = deployment;
    const [notes, root] = [join(maker.directory, 'notes'), join(maker.directory, 'first-root.json')];
    writeFileSync(notes, '');
    writeFileSync(root, deployment.firstRoot);
    const args = [deployment.directory, maker.server.url, root, String(maker.nowMs)];
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
    return this.deployment.end();
  }
}

/** Paths of `whole` that are missing or of another content. */
const differences = (whole: Record<string, string>, here: Record<string, string>): string[] =>
  Object.keys(whole).filter((path) => here[path] !== whole[path]);
