import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { does } from './command.ts';
import type { Engine } from './engine.ts';
import { SimulationError } from './errors.ts';

/** A Debian with what the Dockerfile would install: where it comes from, an engine need fetch nothing. */
export const BASE = 'oriel-base:trixie';
const UPSTREAM = 'debian:trixie-slim';
const PACKAGES = 'ffmpeg libatomic1';
const PULL_TIMEOUT_MS = 120_000;

type Say = (line: string) => void;

/**
 * Makes sure of an image to build on: the one kept from before, else `debian:trixie-slim` as pulled, else made from
 * Debian's packages. @returns its name. @throws SimulationError BASE_MISSING.
 */
export async function baseImage(engine: Engine, say: Say): Promise<string> {
  if ((await engine.try(['image', 'inspect', BASE])).code === 0) return BASE;
  if ((await engine.try(['image', 'inspect', UPSTREAM])).code === 0) return UPSTREAM;
  const { code } = await engine.try(['pull', '--quiet', UPSTREAM], { timeoutMs: PULL_TIMEOUT_MS });
  if (code === 0) return UPSTREAM;
  if (process.getuid?.() !== 0) {
    throw new SimulationError(
      'BASE_MISSING',
      `${UPSTREAM} cannot be pulled, and only root may make it: run this once as root`,
    );
  }
  say(`${UPSTREAM} cannot be pulled; making it from Debian's packages with debootstrap (2 minutes)`);
  const tree = await does([join(import.meta.dirname, '../debian-tree'), 'trixie', PACKAGES]);
  await pipe(tree.trim(), engine);
  return BASE;
}

function pipe(root: string, { environment }: Engine): Promise<void> {
  const script = 'tar -C "$1" -c . | docker import - "$2"';
  const child = spawn('sh', ['-c', script, 'sh', root, BASE], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...environment },
    detached: true,
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new SimulationError('BASE_MISSING', `docker import ended with ${code}`));
    });
  });
}

/**
 * Builds camera and server as the Dockerfile says, from the sources in `root`.
 * @param suffix told apart by it from what others build.
 */
export async function buildImages(
  engine: Engine,
  root: string,
  base: string,
  suffix: string,
): Promise<Images> {
  const context = mkdtempSync(join(tmpdir(), 'oriel-context-'));
  try {
    await assemble(root, context);
    const images = { camera: `oriel-camera:${suffix}`, server: `oriel-server:${suffix}` };
    for (const target of ['camera', 'server'] as const) {
      await engine.docker(
        ...['build', '--quiet', '--network', 'host', '--target', target, '--tag', images[target]],
        ...['--build-arg', `BASE=${base}`, '--build-arg', `ARCH=${process.arch}`, context],
      );
    }
    return images;
  } finally {
    rmSync(context, { recursive: true });
  }
}

export interface Images {
  readonly camera: string;
  readonly server: string;
}

/** What the Dockerfile copies, where it looks for it. */
async function assemble(root: string, context: string): Promise<void> {
  const modules = [
    `node-linux-${process.arch}/bin/node`,
    `@img/sharp-linux-${process.arch}`,
    `@img/sharp-libvips-linux-${process.arch}`,
  ].map((path) => `node_modules/${path}`);
  for (const path of ['Dockerfile', '.dockerignore', 'deploy/container/oriel', ...modules]) {
    mkdirSync(dirname(join(context, path)), { recursive: true });
    cpSync(join(root, path), join(context, path), { recursive: true });
  }
  chmodSync(join(context, 'deploy/container/oriel'), 0o755);
  await does([process.execPath, join(root, 'scripts/bundle.ts'), join(context, 'dist')], { cwd: root });
}
