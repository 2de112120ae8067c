import { type CommandOptions, does, run } from './command.ts';
import type { Engine } from './engine.ts';
import { SimulationError } from './errors.ts';

/** `docker compose` or `docker-compose`, whichever is here. @throws SimulationError ENGINE_MISSING. */
export async function findCompose(): Promise<readonly string[]> {
  for (const words of [['docker', 'compose'], ['docker-compose']]) {
    const { code } = await run([...words, 'version']).catch(() => ({ code: 1 }));
    if (code === 0) return words;
  }
  throw new SimulationError('ENGINE_MISSING', 'neither `docker compose` nor `docker-compose` is here');
}

/** One composition under one name. */
export class Composition {
  readonly #words: readonly string[];
  readonly #options: CommandOptions;

  /**
   * @param command as from `findCompose`.
   * @param root where compose.yaml lies: paths in a composition count from there.
   * @param file the composition itself.
   */
  constructor(engine: Engine, command: readonly string[], root: string, name: string, file: string) {
    this.#words = [...command, '--project-name', name, '--project-directory', root, '--file', file];
    this.#options = { cwd: root, env: engine.environment };
  }

  up(...services: readonly string[]): Promise<string> {
    return does([...this.#words, 'up', '--detach', '--no-deps', ...services], this.#options);
  }
}
