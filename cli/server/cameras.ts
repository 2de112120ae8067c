import { Argument, Command, InvalidArgumentError } from 'commander';
import { jsonLine } from '../../text/printable.ts';
import { CommandError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { CameraVerb } from './camera-verbs.ts';

const DEFAULT_WAIT_SECONDS = 10;

/** `oriel server cameras`: who may come in. */
export function camerasCommand(): Command {
  return new Command('cameras')
    .description("list, let in, rename and shut out a server's cameras")
    .argument('<dir>', 'directory made by `oriel server init`')
    .addArgument(
      new Argument('[verb]', 'what to do')
        .choices([
          'list',
          'claim',
          'withdraw',
          'admit',
          'rename',
          'revoke',
          'statement',
          'settled',
          'ask',
        ] satisfies (CameraVerb | 'ask')[])
        .default('list'),
    )
    .argument('[words...]', 'what the verb needs')
    .option('--all', '`ask` every camera that is there')
    .option('--wait <seconds>', 'how long `ask` waits for the reply', parseWait, DEFAULT_WAIT_SECONDS)
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
  list                  the cameras and how they are: since when they are there, what waits in their spools, what they
                        lost, agent + capture restarts, and what wants looking at; and the claims that wait for one
  claim CLAIM           let one camera in, by the claim of \`oriel keys pair\` (-: from standard input)
  withdraw CLAIM        take a claim back that no camera has used: the whole of it, or what the list calls it;
                        or the id of a camera that was admitted and has not come
  admit CAMERA [OWNER]  let a camera of another server in, which its owner sends here (\`oriel keys pins\`): by its
                        whole id, and by the owner's identity, so that policies can be checked
  rename CAMERA NAME    give a camera a name
  revoke CAMERA         shut a camera out, at once and for good; after a reset it can come as a new one
  statement CAMERA      print the camera's pairing statement, for \`oriel keys accept --statement\`
  settled               you have seen to what a restored backup had undone (\`oriel server restore --help\`)
  ask CAMERA REQUEST    ask a camera, and wait for its reply: \`ping\`; \`status\`, how it is; \`snapshot\`, make one now;
                        \`refresh\`, fetch what its owner has signed and check for a release now
  ask --all REQUEST     ask every camera that is there; exit code 0 when all did it

CAMERA is an id, its first characters, or a name. A running server acts on it within a second.

Examples:
  oriel server cameras ./house
  oriel server cameras ./house claim claim:Zm9v...
  oriel server cameras ./house rename 7xk2 "Front door"
  oriel server cameras ./house ask "Front door" status
  oriel server cameras ./house ask --all refresh
  oriel server cameras ./house revoke "Front door"`,
    )
    .action(
      async (
        directory: string,
        verb: CameraVerb | 'ask',
        words: readonly string[],
        { all, json, wait }: { readonly all?: true; readonly json?: true; readonly wait: number },
      ) => {
        const { withRegistry } = await import('./registry.ts');
        if (verb === 'ask') {
          const asked = await askAs(directory, words, all === true, wait * 1000);
          console.log(json ? jsonLine(asked.json) : asked.text);
          if (!asked.done) process.exitCode = EXIT.failure;
          return;
        }
        if (all) throw new CommandError('USAGE', '--all goes with ask');
        const { doVerb } = await import('./camera-verbs.ts');
        const said = await withRegistry(directory, (registry) => doVerb(registry, directory, verb, words));
        console.log(json ? jsonLine(said.json) : said.text);
      },
    );
}

async function askAs(directory: string, words: readonly string[], all: boolean, waitMs: number) {
  const { withRegistry } = await import('./registry.ts');
  const { ask, askAll } = await import('../../server/control/ask.ts');
  const { askedAllResult, askedResult } = await import('./ask-text.ts');
  const { requestsOf } = await import('../../wire/control-requests.ts');
  const requests = requestsOf('operator');
  const request = requests.find((each) => each === words[all ? 0 : 1]);
  if (words.length !== (all ? 1 : 2) || request === undefined) {
    const whom = all ? '--all' : 'CAMERA';
    throw new CommandError('USAGE', `usage: oriel server cameras DIR ask ${whom} ${requests.join('|')}`);
  }
  return withRegistry(directory, async (registry) => {
    if (all) return askedAllResult(request, await askAll(registry, directory, request, waitMs));
    const asked = { camera: words[0] as string, request };
    return askedResult(await ask(registry, directory, asked, waitMs, (text) => console.error(text)));
  });
}

function parseWait(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,4}$/.test(text) || seconds < 1) throw new InvalidArgumentError('1 to 9999 seconds.');
  return seconds;
}
