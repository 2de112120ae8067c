import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { printable } from '../text/printable.ts';
import { distrustCommand, forgetCommand } from './keys/forgetting-commands.ts';
import { acceptCommand, pairCommand } from './keys/pairing-commands.ts';
import { pinsCommand } from './keys/pins-command.ts';
import { policyCommand } from './keys/policy-command.ts';
import { shareCommand, trustCommand } from './keys/sharing-commands.ts';
import { parseName } from './keys/words.ts';
import { jsonOption, wholeNumber } from './options.ts';
import { TERMINAL } from './terminal.ts';

/** `oriel keys`: a person's viewing key, and the policies signed with it. */
export function keysCommand(): Command {
  const keys = new Command('keys')
    .description('make viewing keys, pair cameras, sign what they obey')
    .addHelpText(
      'after',
      `
A viewing key opens footage; no server has one. Keep the file to yourself, and keep a copy: without it
nothing that was sealed to it opens again.

Examples:
  oriel keys new me.key --name "Ada"
  oriel keys show me.key
  oriel keys pair me.key --server https://home.example:8443 --pin sha256/… --out setup-code
  oriel keys accept me.key --server-dir ./house
  oriel keys policy me.key --camera CAMERA_ID --out policy.json`,
    );
  keys
    .addCommand(newCommand())
    .addCommand(showCommand())
    .addCommand(daysCommand())
    .addCommand(pairCommand())
    .addCommand(acceptCommand())
    .addCommand(policyCommand())
    .addCommand(shareCommand())
    .addCommand(trustCommand())
    .addCommand(pinsCommand())
    .addCommand(distrustCommand())
    .addCommand(forgetCommand());
  return keys;
}

function newCommand(): Command {
  return new Command('new')
    .description('make a viewing key: an identity and its first day keys')
    .argument('<file>', 'file to make (mode 0600)')
    .option('--name <name>', 'whose it is, for display', parseName, 'viewer')
    .option('--days <n>', 'day keys to make ahead', parseDays, 60)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  oriel keys new me.key --name "Ada"`,
    )
    .action(async (file: string, options: { name: string; days: number; json?: true }) => {
      const { makeViewingKey, writeViewingKey } = await import('../crypto/viewing-key.ts');
      const { writeTextFile } = await import('../host/files.ts');
      const seed = new Uint8Array(randomBytes(32));
      const key = await makeViewingKey(options.name, seed, options.days);
      writeTextFile(file, writeViewingKey(key), 0o600, true);
      await show(file, options.json);
    });
}

function showCommand(): Command {
  return new Command('show')
    .description("show a viewing key's public half: identity, day keys, cameras")
    .argument('<file>', 'viewing key')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  oriel keys show me.key
  oriel keys show me.key --json | jq -r .viewer`,
    )
    .action((file: string, options: { json?: true }) => show(file, options.json));
}

async function show(file: string, json = false): Promise<void> {
  const { identityOf, viewerText } = await import('../owner/viewing-key-file.ts');
  const { readViewingKey } = await import('../owner/viewing-key-file.ts');
  const key = readViewingKey(file, TERMINAL);
  const { viewer, publicKey } = await identityOf(key);
  const floors = await Promise.all(
    key.floors.map(async ({ identity, floor }) => ({ viewer: await viewerText(identity), floor })),
  );
  const numbers = key.dayKeys.map(({ number }) => number);
  const dayKeys = { first: Math.min(...numbers), last: Math.max(...numbers), count: numbers.length };
  if (json) {
    console.log(JSON.stringify({ name: key.name, viewer, publicKey, dayKeys, floors, cameras: key.cameras }));
    return;
  }
  console.log(`viewing key  ${file} (${printable(key.name)})`);
  console.log(`viewer id    ${viewer}`);
  console.log(`identity     ${publicKey}`);
  console.log(`day keys     ${dayKeys.count}: number ${dayKeys.first} to ${dayKeys.last}`);
  for (const { viewer: whose, floor } of floors) console.log(`floor        ${whose}  ${floor}`);
  for (const { id, name, epoch, counter, pins } of key.cameras) {
    const moved = pins === undefined ? '' : `  pins ${epoch}.${pins}`;
    console.log(
      `camera       ${id}  policy ${epoch}.${counter}${moved}${name === '' ? '' : `  ${printable(name)}`}`,
    );
  }
}

function daysCommand(): Command {
  return new Command('days')
    .description('add day keys to a viewing key; sign the policy anew afterwards, and copy the key again')
    .argument('<file>', 'viewing key')
    .option('--days <n>', 'day keys to add', parseDays, 60)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  oriel keys days me.key --days 90`,
    )
    .action(async (file: string, options: { days: number; json?: true }) => {
      const { addDayKeys, writeViewingKey } = await import('../crypto/viewing-key.ts');
      const { readViewingKey } = await import('../owner/viewing-key-file.ts');
      const { withFileLocked, writeTextFile } = await import('../host/files.ts');
      await withFileLocked(file, async () => {
        writeTextFile(
          file,
          writeViewingKey(await addDayKeys(readViewingKey(file, TERMINAL), options.days)),
          0o600,
        );
      });
      await show(file, options.json);
    });
}

const parseDays = wholeNumber(1, 400);
