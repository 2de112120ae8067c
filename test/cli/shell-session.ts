import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { until } from '../e2e/until.ts';
import { exitOf } from '../exit-of.ts';

/** An interactive shell on a terminal of its own (script(1)), in which keys are pressed. */

export type Shell = 'bash' | 'zsh' | 'fish';

const ORIEL = resolve(import.meta.dirname, '../../oriel');
const PROMPT = 'ready>';

const START: Readonly<Record<Shell, string>> = {
  bash: 'bash --noprofile --rcfile ./start -i',
  zsh: 'zsh --no-global-rcs -i',
  fish: "fish --no-config -i -C 'source ./start'",
};

/** What each shell reads first. The TAB of zsh is bound to expand-or-complete, which evaluates what is typed by itself. */
const PREPARE: Readonly<Record<Shell, string>> = {
  bash: `PS1='${PROMPT} '\nbind 'set bell-style none'\nsource ./completion\n`,
  zsh: `PS1='${PROMPT} '\nbindkey '^I' complete-word\nautoload -U compinit\ncompinit -u -D\nsource ./completion\n`,
  fish: `function fish_prompt; echo -n '${PROMPT} '; end\nsource ./completion\n`,
};

/**
 * Presses keys in a shell that completes `oriel` by a script. Its `oriel` completes as ours does, and does nothing else.
 * @param lines keys each of which ends in an `oriel` command; Enter is added.
 * @returns the words of the commands that ran.
 */
export async function press(
  directory: string,
  shell: Shell,
  script: string,
  lines: readonly string[],
): Promise<string[][]> {
  const at = (name: string) => join(directory, name);
  const words = `printf '%s\\n' "$@" '' >>'${at('ran')}'`;
  writeFileSync(at('oriel'), `#!/bin/sh\nif [ "$1" = complete ]; then exec ${ORIEL} "$@"; fi\n${words}\n`);
  chmodSync(at('oriel'), 0o755);
  writeFileSync(at('completion'), script);
  writeFileSync(at(shell === 'zsh' ? '.zshrc' : 'start'), PREPARE[shell]);
  const PATH = `${directory}:/usr/bin:/bin`;
  const session = spawn('script', ['-qec', START[shell], '/dev/null'], {
    cwd: directory,
    env: { PATH, HOME: directory, ZDOTDIR: directory, TERM: 'xterm', LANG: 'C.UTF-8' },
  });
  let shown = '';
  session.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const ran = () => (existsSync(at('ran')) ? readFileSync(at('ran'), 'utf8').split('\n\n').slice(0, -1) : []);
  try {
    for (const [index, line] of lines.entries()) {
      await until('a prompt', () => shown.includes(PROMPT));
      shown = '';
      session.stdin.write(`${line}\n`);
      await until(`line ${index} ran`, () => ran().length > index);
    }
    session.stdin.write('exit\n');
    await exitOf(session);
    return ran().map((command) => command.split('\n'));
  } finally {
    session.kill('SIGKILL');
  }
}
