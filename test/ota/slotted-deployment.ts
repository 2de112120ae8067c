import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { writeAnchor } from '../../ota/key-list.ts';
import type { LauncherLimits } from '../../ota/launcher-limits.ts';
import { parseSlotState, type SlotState } from '../../ota/slot-state.ts';
import { bundle } from '../../scripts/bundle.ts';
import { ORIEL, oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { does } from '../../scripts/simulation/command.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';
import { AGENT, CAPTURE, MINIMAL_ROOT, SEPARATED } from '../no-way-in/test-deployment.ts';
import { type Contents, HARDWARE, PRODUCT, ringOf } from './maker.ts';
import { TestServer } from './test-server.ts';

/**
 * A household whose camera runs from slots, and whose server has a maker's repository. Releases are whole but for the
 * runtime: `bin/node` starts the pinned one where it lies, which saves 150 MB each.
 */
export interface SlottedDeployment {
  readonly testServer: TestServer;
  readonly deployment: TestDeployment;
  readonly installation: string;
  readonly state: () => SlotState;
  /** Publishes a release, to everybody unless said otherwise. @param begin what its program does before all else. */
  release(counter: number, begin?: string, wish?: ReleaseOptions): Promise<void>;
  /** What such a release holds. */
  contents(counter: number): Contents;
  /** Has the server say that there is something to look at. */
  push(): Promise<void>;
}

export interface ReleaseOptions {
  readonly percentage?: number;
  /** Files beside the program. */
  readonly beside?: Contents;
}

export interface SlottedOptions {
  readonly source: string;
  /** The launcher's `oriel`, if not the real one. */
  readonly launcher?: string;
  /** The server's `oriel`, if not the real one: it is given the address of the maker's own web server for `--updates`. */
  readonly server?: string;
  /** Whether the server follows the maker's web server, instead of reading the repository. */
  readonly follows?: boolean;
  /** Where the sources of the releases are, if not here. */
  readonly sources?: string;
  /** Whether launcher, agent and capture each have a user of their own, and the launcher no more than it needs. */
  readonly separated?: boolean;
}

export async function withSlots<T>(
  { source, launcher = ORIEL, server, follows = false, sources, separated = false }: SlottedOptions,
  act: (slotted: SlottedDeployment) => Promise<T>,
): Promise<T> {
  const testServer = new TestServer();
  const scratch = mkdtempSync(join(tmpdir(), 'oriel-slotted-'));
  try {
    testServer.nowMs = Date.now();
    await testServer.begin();
    const program = await buildProgram(join(scratch, 'app'), sources);
    const releases = new Map<number, string>();
    const release = async (
      counter: number,
      begin = '',
      { percentage = 100, beside = {} }: ReleaseOptions = {},
    ) => {
      const contents = { ...releaseContents(program, counter, begin), ...beside };
      const before = releases.get(Math.max(0, ...releases.keys()));
      const changes = { version: versionOf(counter), counter };
      releases.set(counter, await testServer.release({ contents, changes }, before, { percentage }));
    };
    await release(1);
    const installation = join(scratch, 'installation');
    await install(testServer, installation, releases.get(1) ?? '', { limits: { proveSeconds: 1 } });
    const camera = join(scratch, 'camera');
    const run = [`'${launcher}'`, 'launcher', 'run', `'${installation}'`, '"$3"', '--log-level', 'info'];
    const command = separated ? [...MINIMAL_ROOT, ...run, ...SEPARATED] : run;
    const lines = ['#!/bin/sh', ...(separated ? GIVE_AWAY : []), `exec ${command.join(' ')}`, ''];
    writeFileSync(camera, lines.join('\n'));
    chmodSync(scratch, 0o711);
    chmodSync(camera, 0o755);
    const updates =
      server === undefined && !follows ? testServer.repository.directory : testServer.server.url;
    const serverOptions = ['--updates', updates];
    const wish = { source, camera, serverOptions, ...(server !== undefined && { server }) };
    return await TestDeployment.with(wish, (deployment) => {
      const state = () => parseSlotState(readFileSync(join(installation, 'state.json')));
      const push = async () => {
        const { serverDirectory, cameraId } = deployment.parts;
        const ask = [cameraId, 'refresh', '--wait', '60'];
        // A camera that was asked a moment ago is busy; one that starts anew has to connect first.
        await until('the camera is told to look', async () => {
          return (await oriel('server', 'camera', 'ask', serverDirectory, ...ask)).code === 0;
        });
      };
      const contents = (counter: number) => releaseContents(program, counter);
      return act({ testServer, deployment, installation, state, release, contents, push });
    });
  } finally {
    await testServer.end();
    rmSync(scratch, { recursive: true });
  }
}

/** As docs/design/hardening.md says. */
const GIVE_AWAY = [
  'chmod 711 "$(dirname "$3")"',
  `chown -R ${AGENT.uid}:${CAPTURE.gid} "$3"`,
  'chmod 710 "$3"',
];

export const versionOf = (counter: number) => `1.0.${counter}`;

async function buildProgram(directory: string, sources?: string): Promise<Map<string, string>> {
  if (sources === undefined) await bundle(directory);
  else await does([process.execPath, join(sources, 'scripts/bundle.ts'), directory]);
  return readProgram(directory);
}

/** The files of a built program, by their paths in a release. */
export function readProgram(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  return new Map(
    names.map((one) => {
      const path = join(one.parentPath, one.name);
      return [`app/${relative(directory, path)}`, readFileSync(path, 'utf8')];
    }),
  );
}

/** Releases are whole but for the runtime. @param begin what its program does before all else. */
export function releaseContents(program: ReadonlyMap<string, string>, counter: number, begin = '') {
  const main = 'app/oriel.mjs';
  return {
    ...Object.fromEntries(program),
    [main]: `// ${versionOf(counter)}\n${begin}\n${program.get(main)}`,
    'bin/node': `#!/bin/sh\nexec '${process.execPath}' "$@"\n`,
  };
}

export interface Flashed {
  readonly hardware?: string;
  /** Those of the launcher's that are not as usual. */
  readonly limits: Partial<LauncherLimits>;
}

export async function install(
  testServer: TestServer,
  installation: string,
  bundleDirectory: string,
  { hardware = HARDWARE, limits }: Flashed,
): Promise<void> {
  const documents = mkdtempSync(join(tmpdir(), 'oriel-documents-'));
  try {
    mkdirSync(documents, { recursive: true });
    const anchor = join(documents, 'anchor.json');
    const { keys, threshold } = ringOf(testServer.maker.root);
    writeFileSync(
      anchor,
      writeAnchor({ format: 'oriel-anchor-1', product: PRODUCT, keys: [...keys], threshold }),
    );
    const root = join(testServer.repository.directory, 'metadata', '1.root.json');
    const limitsFile = join(documents, 'limits.json');
    writeFileSync(limitsFile, JSON.stringify({ format: 'oriel-limits-1', ...limits }));
    const options = ['--anchor', anchor, '--root', root, '--hardware', hardware, '--limits', limitsFile];
    await orielDoes('launcher', 'install', installation, bundleDirectory, ...options);
  } finally {
    rmSync(documents, { recursive: true });
  }
}
