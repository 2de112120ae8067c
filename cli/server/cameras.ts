import { Argument, Command } from 'commander';
import type { CameraVerb } from './camera-verbs.ts';

/** `oriel server cameras`: who may come in. */
export function camerasCommand(): Command {
  return new Command('cameras')
    .description("list, let in, rename and shut out a server's cameras")
    .argument('<dir>', 'directory made by `oriel server init`')
    .addArgument(
      new Argument('[verb]', 'what to do')
        .choices(['list', 'claim', 'admit', 'rename', 'revoke', 'statement'] satisfies CameraVerb[])
        .default('list'),
    )
    .argument('[words...]', 'what the verb needs')
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
  list                  the cameras, and the claims that wait for one
  claim CLAIM           let one camera in, by the claim of \`oriel keys pair\` (-: from standard input)
  admit CAMERA [OWNER]  let a camera of another server in, which its owner sends here (\`oriel keys pins\`): by its
                        whole id, and by the owner's identity, so that policies can be checked
  rename CAMERA NAME    give a camera a name
  revoke CAMERA         shut a camera out, at once and for good; after a reset it can come as a new one
  statement CAMERA      print the camera's pairing statement, for \`oriel keys accept --statement\`

CAMERA is an id, its first characters, or a name. A running server acts on it within a second.

Examples:
  oriel server cameras ./house
  oriel server cameras ./house claim claim:Zm9v...
  oriel server cameras ./house rename 7xk2 "Front door"
  oriel server cameras ./house revoke "Front door"`,
    )
    .action(
      async (
        directory: string,
        verb: CameraVerb,
        words: readonly string[],
        { json }: { readonly json?: true },
      ) => {
        const { withRegistry } = await import('./registry.ts');
        const { doVerb } = await import('./camera-verbs.ts');
        const said = await withRegistry(directory, (registry) => doVerb(registry, verb, words));
        console.log(json ? JSON.stringify(said.json) : said.text);
      },
    );
}
