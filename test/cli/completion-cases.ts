import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCRIPTS } from '../../cli/completion/scripts.ts';
import { press, type Shell } from './shell-session.ts';

/** What a completion script has to do in the shell that it is for. */

/** What is typed, and the words that it becomes. */
const COMPLETED: readonly (readonly [string, readonly string[]])[] = [
  // commands
  ['oriel ser\tcam\trev\t', ['server', 'camera', 'revoke']],
  // options
  ['oriel server camera revoke x y --js\t', ['server', 'camera', 'revoke', 'x', 'y', '--json']],
  // choices
  ['oriel camera run --log-level de\t', ['camera', 'run', '--log-level', 'debug']],
  ['oriel camera run --log-level=de\t', ['camera', 'run', '--log-level=debug']],
  ['oriel server camera ask x y sn\t', ['server', 'camera', 'ask', 'x', 'y', 'snapshot']],
  // a directory where no file will do, and a file
  ['oriel server run hou\t', ['server', 'run', 'house']],
  ['oriel footage list x --key m\t', ['footage', 'list', 'x', '--key', 'me.key']],
  // after a value that a shell may take for several words
  [
    'oriel camera setup x --source v4l2:/dev/video0 --aud\t',
    ['camera', 'setup', 'x', '--source', 'v4l2:/dev/video0', '--audio'],
  ],
];

/** Each would make a file called `ran-it` if something evaluated it. */
const TYPED = [
  'oriel server $(touch ran-it) \t',
  'oriel server `touch ran-it` ca\t',
  'oriel server run $(touch ran-it)\t',
  'oriel server run $(touch ran-it)/\t',
  'oriel camera run --log-level=`touch\\ ran-it`=\t',
  'oriel camera run --log-level=`>ran-it`=de\t',
  'oriel footage list --key "$(touch ran-it)\t',
  "oriel server camera ask x '$(touch ran-it)' \t",
];

/** ^U takes a line back; then comes one that can be run. */
const TAKEN_BACK = `${TYPED.map((keys) => `${keys}\x15`).join('')}oriel done`;

/** The asking line of each script as it is, and as one that evaluates has it. */
const EVALUATING: Readonly<Record<Shell, readonly [string, string]>> = {
  bash: [`oriel complete -- "\${words[@]:1}"`, `eval "oriel complete -- \${words[*]:1}"`],
  zsh: [`oriel complete -- "\${(@)words[2,CURRENT]}"`, `eval "oriel complete -- \${words[2,CURRENT]}"`],
  fish: [`oriel complete -- $words[2..-1] "$word"`, `eval "oriel complete -- $words[2..-1] $word"`],
};

export function testCompletionIn(shell: Shell): void {
  const script = SCRIPTS[shell]('oriel');
  let room: string;

  beforeEach(() => {
    room = mkdtempSync(join(tmpdir(), 'oriel completion-'));
    mkdirSync(join(room, 'house'));
    writeFileSync(join(room, 'hound'), '');
    writeFileSync(join(room, 'me.key'), '');
  });
  afterEach(() => rmSync(room, { recursive: true }));

  const ranIt = () => existsSync(join(room, 'ran-it'));

  test(`${shell} completes commands, options, choices, files and directories`, async () => {
    const lines = COMPLETED.map(([keys]) => keys);
    const ran = await press(room, shell, script, lines);
    // Some shells leave a slash after a directory.
    const words = ran.map((command) => command.map((word) => word.replace(/\/$/, '')));
    expect(words).toEqual(COMPLETED.map(([, wanted]) => wanted));
  });

  test(`${shell} evaluates nothing that is typed`, async () => {
    expect(await press(room, shell, script, [TAKEN_BACK])).toEqual([['done']]);
    expect(ranIt()).toBe(false);
  });

  test(`control: in ${shell}, a script that evaluates what is typed is found`, async () => {
    const [asks, evaluates] = EVALUATING[shell];
    const broken = script.replace(asks, () => evaluates);
    expect(broken).not.toBe(script);
    expect(await press(room, shell, broken, [TAKEN_BACK])).toEqual([['done']]);
    expect(ranIt()).toBe(true);
  });
}
