import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_SNAPSHOT_LENGTH } from '../../crypto/snapshot.ts';
import type { SheetReport } from '../../footage/contact-sheet.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';
import { makeClip } from '../e2e/clips.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** Snapshots, from the camera's keyframes to the viewer's contact sheet; and that the recording never needs them. */

const directory = mkdtempSync(join(tmpdir(), 'oriel-e2e-snapshots-'));
const clip = makeClip({ path: join(directory, 'clip.mp4'), seconds: 4, size: '640x360' });
afterAll(() => rmSync(directory, { recursive: true }));

/** None before the server has anything of the camera. */
const snapshotsAt = ({ footageDirectory: cwd }: TestDeployment) =>
  globSync('*/snapshot-[0-9][0-9][0-9][0-9][0-9][0-9].oriel', { cwd }).map((path) => join(cwd, path));

async function sheetOf(deployment: TestDeployment): Promise<{ code: number; report: SheetReport }> {
  const { serverDirectory, key } = deployment.parts;
  const out = join(deployment.directory, 'sheet.png');
  const { code, stdout, stderr } = await oriel(
    'footage',
    'sheet',
    serverDirectory,
    '--key',
    key,
    '--out',
    out,
    '--json',
  );
  if (!stdout.startsWith('{')) throw new Error(stderr);
  return { code, report: JSON.parse(stdout) };
}

const filming = (
  wish: { camera?: string; server?: string },
  act: (deployment: TestDeployment) => Promise<void>,
) =>
  TestDeployment.with({ source: `file:${clip}?loop`, ...wish }, async (deployment) => {
    deployment.changeConfig((config) => Object.assign(config, { snapshotSeconds: 5 }));
    await deployment.startCamera();
    await act(deployment);
  });

test.concurrent('a camera makes snapshots, its server keeps what it cannot open, and the viewing key makes a sheet of them', () =>
  filming({}, async (deployment) => {
    await until('snapshots are at the server', () => snapshotsAt(deployment).length >= 2);
    await deployment.endCamera();
    for (const path of snapshotsAt(deployment)) {
      const bytes = readFileSync(path);
      expect(bytes.length).toBeLessThanOrEqual(MAX_SNAPSHOT_LENGTH);
      expect(bytes.toString('latin1', 0, 4)).toBe('ORLT');
      expect(jpegIn(bytes)).toBe(false);
    }
    // Nothing of them was ever a file of the camera's: no picture, and no keyframe.
    expect(plainFilesUnder(deployment.cameraDirectory)).toEqual([]);
    const { code, report } = await sheetOf(deployment);
    expect(code).toBe(0);
    expect(report.snapshots).toBe(snapshotsAt(deployment).length);
    expect(report.refusedPictures).toEqual([]);
    expect(report.sheet?.snapshots).toBeGreaterThanOrEqual(2);
    expect(existsSync(join(deployment.directory, 'sheet.png'))).toBe(true);
  }));

test.concurrent('the recording is whole when what makes snapshots stands still', async () => {
  const broken = breakBuild({
    file: 'cli/camera/make-snapshot.ts',
    from: 'process.stdout.write(await encodeJpeg(raw));',
    to: 'await new Promise((done) => setTimeout(done, 1e9)); await encodeJpeg(raw);',
  });
  try {
    await filming({ camera: broken.oriel }, async (deployment) => {
      await deployment.captures(12);
      expect(deployment.status.snapshots.made).toBe(0);
      await deployment.drains();
      await deployment.endCamera();
      const { code, report } = await deployment.verify();
      expect([code, report.verdict]).toEqual([0, 'complete']);
      expect(report.openedSeconds).toBeGreaterThan(12);
      expect(deployment.status).toMatchObject({ skippedSeconds: 0, droppedSeconds: 0 });
      const { report: sheet } = await sheetOf(deployment);
      expect(sheet).toMatchObject({ snapshots: 0, sheet: { snapshots: 0 } });
    });
  } finally {
    broken.remove();
  }
});

test.concurrent('snapshots sealed under the label of segments open for nobody: that they have one of their own is found out', async () => {
  const broken = breakBuild({
    file: 'crypto/snapshot-key.ts',
    from: "utf8('oriel/1 snapshot key\\0')",
    to: "utf8('oriel/1 segment\\0')",
  });
  try {
    await filming({ camera: broken.oriel }, async (deployment) => {
      await until('a snapshot is at the server', () => snapshotsAt(deployment).length >= 1);
      await deployment.endCamera();
      const { code, report } = await sheetOf(deployment);
      expect(code).toBe(4);
      expect(report.snapshots).toBe(0);
      expect(new Set(report.refusedPictures.map((picture) => picture.code))).toEqual(
        new Set(['SNAPSHOT_FORGED']),
      );
    });
  } finally {
    broken.remove();
  }
});

test.concurrent('snapshots that are not sealed are found where they lie', async () => {
  const broken = breakBuild({
    file: 'crypto/primitives-node.ts',
    from: 'out.set(sealed, at);',
    to: 'out.set(plaintext, at);',
  });
  try {
    await filming({ camera: broken.oriel }, async (deployment) => {
      await until('a snapshot is at the server', () => snapshotsAt(deployment).length >= 1);
      await deployment.endCamera();
      expect(snapshotsAt(deployment).map((path) => jpegIn(readFileSync(path)))).toContain(true);
    });
  } finally {
    broken.remove();
  }
});

/** Whether a JPEG as libvips writes it lies there: its beginning, and a quantisation table (ITU-T T.81 B.2.4.1). */
function jpegIn(bytes: Buffer): boolean {
  return bytes.includes(Buffer.from('ffd8ffdb004300', 'hex'));
}

function plainFilesUnder(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((file) => jpegIn(readFileSync(file)));
}
