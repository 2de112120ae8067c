import { Argument, Command } from 'commander';
import type { OperatorRequest } from '../../server/control/ask.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { jsonLine } from '../../text/printable.ts';
import { CONTROL_REQUESTS, requestsOf } from '../../wire/control-requests.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonOption, serverDirectory, waitOption } from '../options.ts';
import type { Asked } from './ask-text.ts';
import type { CommandResult } from './camera-verbs.ts';

/** `oriel server camera`: the cameras of a server. */
export function cameraCommand(): Command {
  return new Command('camera')
    .description("list, let in, name, ask and shut out a server's cameras")
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(claimCommand())
    .addCommand(withdrawCommand())
    .addCommand(admitCommand())
    .addCommand(nameCommand())
    .addCommand(revokeCommand())
    .addCommand(statementCommand())
    .addCommand(askCommand())
    .addCommand(askAllCommand())
    .addHelpText(
      'after',
      `
CAMERA is an id, its first characters, or a name. A running server acts on a change within a second.

Examples:
  oriel server camera list ./house
  oriel server camera claim ./house claim:Zm9v...
  oriel server camera name ./house 7xk2 "Front door"
  oriel server camera ask ./house "Front door" snapshot
  oriel server camera revoke ./house "Front door"`,
    );
}

function listCommand(): Command {
  return command('list', 'list the cameras, how they are, and the claims that wait for one')
    .addHelpText(
      'after',
      `
Shows of each camera: since when it is online or offline, the footage that waits in its spool and that was lost, the
restarts of agent and capture, and what needs attention.

Examples:
  oriel server camera list ./house
  oriel server camera list ./house --json | jq '.cameras[] | select(.health.light == "red")'`,
    )
    .action(act((verbs, registry, dir) => verbs.list(registry, dir)));
}

function showCommand(): Command {
  return onCamera('show', 'show one camera as the list does')
    .addHelpText(
      'after',
      `
Example:
  oriel server camera show ./house "Front door"`,
    )
    .action(act((verbs, registry, _dir, camera) => verbs.show(registry, camera)));
}

function claimCommand(): Command {
  return command('claim', 'let one camera in, by the claim that oriel keys pair printed')
    .argument('<claim>', 'the claim; "-" reads it from standard input')
    .addHelpText(
      'after',
      `
Examples:
  oriel server camera claim ./house claim:Zm9v...
  oriel server camera claim ./house - <claim`,
    )
    .action(act((verbs, registry, _dir, claim) => verbs.claim(registry, claim)));
}

function withdrawCommand(): Command {
  return command('withdraw', 'take back a claim that no camera has used, or an admission')
    .argument(
      '<claim>',
      'the claim, its first digits as the list shows them, or the id of an admitted camera',
    )
    .addHelpText(
      'after',
      `
Example:
  oriel server camera withdraw ./house 1f2e3d4c`,
    )
    .action(act((verbs, registry, _dir, claim) => verbs.withdraw(registry, claim)));
}

function admitCommand(): Command {
  return command('admit', 'let in a camera of another server, which its owner moves here')
    .argument('<camera>', 'the whole id of the camera')
    .argument('[owner]', "the owner's identity, as oriel keys show prints it: lets the server check policies")
    .addHelpText(
      'after',
      `
The camera comes with the certificate of its old server once its owner has signed the move (oriel keys pins).

Example:
  oriel server camera admit ./house CAMERA_ID`,
    )
    .action(act((verbs, registry, _dir, camera, owner) => verbs.admit(registry, camera, owner)));
}

function nameCommand(): Command {
  return onCamera('name', 'give a camera a name')
    .argument('<name>', 'its new name')
    .addHelpText(
      'after',
      `
Example:
  oriel server camera name ./house 7xk2 "Front door"`,
    )
    .action(act((verbs, registry, _dir, camera, name) => verbs.rename(registry, camera, name)));
}

function revokeCommand(): Command {
  return onCamera('revoke', 'shut a camera out, at once and for good')
    .addHelpText(
      'after',
      `
What it recorded stays. After a reset (oriel camera reset) the same board can come as a new camera.

Example:
  oriel server camera revoke ./house "Front door"`,
    )
    .action(act((verbs, registry, _dir, camera) => verbs.revoke(registry, camera)));
}

function statementCommand(): Command {
  return onCamera('statement', "print a camera's pairing statement, for an owner who accepts it elsewhere")
    .addHelpText(
      'after',
      `
Example:
  oriel server camera statement ./house "Front door" >statement
  oriel keys accept me.key --statement statement --out policy.json`,
    )
    .action(act((verbs, registry, _dir, camera) => verbs.statement(registry, camera)));
}

const REQUESTS = requestsOf('operator');

const ASK_HELP = `
Requests:
${REQUESTS.map((request) => `  ${request.padEnd(10)}${CONTROL_REQUESTS[request].what}`).join('\n')}
`;

const requestArgument = () => new Argument('<request>', 'what to ask').choices(REQUESTS);

function askCommand(): Command {
  return onCamera('ask', 'ask a camera, and wait for its reply')
    .addArgument(requestArgument())
    .addOption(waitOption('how long to wait for the reply', 10))
    .addHelpText(
      'after',
      `${ASK_HELP}
Exit code 0 when the camera did it.

Examples:
  oriel server camera ask ./house "Front door" status
  oriel server camera ask ./house "Front door" snapshot --wait 60`,
    )
    .action(async (dir: string, camera: string, request: OperatorRequest, options: AskOptions) => {
      const [{ ask }, { askedResult }, { withRegistry }] = await askModules();
      const say = (text: string) => console.error(text);
      const answer = await withRegistry(dir, (registry) =>
        ask(registry, dir, { camera, request }, options.wait * 1000, say),
      );
      printAsked(askedResult(answer), options);
    });
}

function askAllCommand(): Command {
  return command('ask-all', 'ask every camera that is online, all at once')
    .addArgument(requestArgument())
    .addOption(waitOption('how long to wait for the replies', 10))
    .addHelpText(
      'after',
      `${ASK_HELP}
Exit code 0 when all cameras did it; those that are offline are named, and did not.

Example:
  oriel server camera ask-all ./house refresh`,
    )
    .action(async (dir: string, request: OperatorRequest, options: AskOptions) => {
      const [{ askAll }, { askedAllResult }, { withRegistry }] = await askModules();
      const answers = await withRegistry(dir, (registry) =>
        askAll(registry, dir, request, options.wait * 1000),
      );
      printAsked(askedAllResult(request, answers), options);
    });
}

const askModules = () =>
  Promise.all([import('../../server/control/ask.ts'), import('./ask-text.ts'), import('./registry.ts')]);

function printAsked(asked: Asked, options: JsonOptions): void {
  print(asked, options);
  if (!asked.done) process.exitCode = EXIT.failure;
}

interface JsonOptions {
  readonly json?: true;
}

interface AskOptions extends JsonOptions {
  readonly wait: number;
}

function command(name: string, description: string): Command {
  return new Command(name).description(description).addArgument(serverDirectory()).addOption(jsonOption());
}

const onCamera = (name: string, description: string) =>
  command(name, description).argument('<camera>', 'an id, its first characters, or a name');

/** The action of a command that does something with the registry of a directory. */
function act<Words extends string[]>(
  work: (
    verbs: typeof import('./camera-verbs.ts'),
    registry: Registry,
    dir: string,
    ...words: Words
  ) => Promise<CommandResult>,
) {
  return async (dir: string, ...given: [...Words, JsonOptions, Command]): Promise<void> => {
    const words = given.slice(0, -2) as Words;
    const options = given.at(-2) as JsonOptions;
    const [verbs, { withRegistry }] = await Promise.all([
      import('./camera-verbs.ts'),
      import('./registry.ts'),
    ]);
    print(await withRegistry(dir, (registry) => work(verbs, registry, dir, ...words)), options);
  };
}

function print({ json, text }: CommandResult, options: JsonOptions): void {
  console.log(options.json ? jsonLine(json) : text);
}
