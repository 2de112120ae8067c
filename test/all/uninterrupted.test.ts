import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import { segmentFileName } from '../../wire/footage-layout.ts';
import { breakBuild } from '../broken-build.ts';
import { makeClip } from '../e2e/clips.ts';
import { expectBridged, expectNothingAcknowledgedLost } from '../e2e/footage-accounting.ts';
import { recordsOf } from '../e2e/footage-copy.ts';
import { stillRunning } from '../e2e/processes.ts';
import { TestDeployment, type TestDeploymentOptions } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';
import { saidOf, secondVerdicts } from '../opener/second-opener.ts';

/** What is recorded goes on whatever fails around it, and nothing that was acknowledged is lost. */

const directory = mkdtempSync(join(tmpdir(), 'oriel-clips-'));
const clip = makeClip({ path: join(directory, 'clip.mp4'), seconds: 4 });

/** A household whose camera films. */
function filming(
  act: (deployment: TestDeployment) => Promise<void>,
  wish: Partial<TestDeploymentOptions> = {},
): Promise<void> {
  return TestDeployment.with({ source: `file:${clip}?loop`, ...wish }, async (deployment) => {
    await deployment.startCamera();
    await act(deployment);
  });
}

afterAll(() => rmSync(directory, { recursive: true }));

describe('network', () => {
  test.concurrent.each(['cut', 'deaden'] as const)(
    '%s: what is captured meanwhile arrives afterwards [TM-06]',
    (how) =>
      filming(async (deployment) => {
        const back = await expectBridged(deployment, async () => {
          deployment.relay[how]();
          await deployment.captures(8);
          deployment.relay.mend();
        });
        expect(back.heldSeconds).toBeGreaterThan(6);
        expect(back.spooledBytes).toBeGreaterThan(0);
      }),
  );
});

describe('server', () => {
  test.concurrent('restarted in good order: recording goes on', () =>
    filming(async (deployment) => {
      await expectBridged(deployment, async () => {
        await deployment.endServer();
        await deployment.captures(2);
        await deployment.startServer();
      });
    }));

  test.concurrent('killed while it writes, twice: nothing it had acknowledged is lost', () =>
    filming(async (deployment) => {
      await expectBridged(deployment, async () => {
        for (let times = 0; times < 2; times++) {
          await deployment.captures(2);
          await deployment.killServer();
          await deployment.captures(1);
          await deployment.startServer();
        }
      });
    }));
});

describe('camera', () => {
  test.concurrent('[FC-37] launcher killed: agent, capture and ffmpeg go with it; what was spooled comes back, and stays', () =>
    filming(async (deployment) => {
      await deployment.captures(2);
      deployment.relay.cut();
      // Into the middle of a segment, which lasts 4 s.
      const first = await until('a segment is half recorded', () => {
        const { status } = deployment;
        return status.capturedSeconds > 8 && status.capturedSeconds % 4 > 2.4 && status;
      });
      const processes = deployment.cameraProcesses(/./);
      expect(processes.map(({ command }) => /camera (run|agent|capture)|^ffmpeg/.exec(command)?.[0])).toEqual(
        expect.arrayContaining(['camera run', 'camera agent', 'camera capture', 'ffmpeg']),
      );
      await deployment.killCamera();
      await until('they all end', () => stillRunning(processes).length === 0);

      deployment.relay.mend();
      await deployment.startCamera();
      expect(deployment.status.recoveredSeconds).toBeGreaterThan(0);
      await deployment.drains();
      expect(await deployment.endCamera()).toBe(0);
      const { status } = deployment;
      const { code, report } = await expectNothingAcknowledgedLost(deployment, [first, status]);
      expect(code).toBe(3);
      expect(report.counts).toMatchObject({ cut: 1, open: 0 });
      // A killed camera loses what it had not spooled for two seconds, and what a slow disk kept waiting.
      expect(report.openedSeconds).toBeGreaterThan(first.capturedSeconds + status.capturedSeconds - 4);

      // What a server takes away before the camera's mark shows, and a second opener sees the same.
      const footage = join(deployment.parts.serverDirectory, 'footage');
      const { session, sequence } = report.segments.find(({ verdict }) => verdict === 'cut') ?? {};
      const [cut = ''] = globSync(`*/*-${session}/${segmentFileName(sequence ?? 0)}`, {
        cwd: footage,
      });
      const path = join(footage, cut);
      const bytes = readFileSync(path);
      const records = recordsOf(bytes);
      for (const taken of [0, 1, records.length - 1]) {
        const left = records.toSpliced(records.length - 1 - taken, taken);
        writeFileSync(path, Buffer.concat([bytes.subarray(0, SEGMENT_HEADER_LENGTH), ...left]));
        const { report: said } = await deployment.verify();
        const found = said.segments.find((line) => line.session === session && line.sequence === sequence);
        expect(found).toMatchObject(taken === 0 ? { verdict: 'cut' } : { code: 'MARK_FORGED' });
        expect(secondVerdicts([footage], deployment.parts.key)).toEqual([saidOf(said)]);
      }
    }));

  test.concurrent('agent killed: capture lives on, and so does the recording, in a new session', () =>
    filming(async (deployment) => {
      const first = await deployment.captures(3);
      const capture = deployment.cameraProcesses(/camera capture/);
      expect(capture).toHaveLength(1);
      process.kill(first.pid, 'SIGKILL');
      const second = await until('another agent records', () => {
        const status = deployment.lookAtStatus();
        return status !== undefined && status.pid !== first.pid && status.capturedSeconds > 1 && status;
      });
      expect(second.session).toBeGreaterThan(first.session ?? 0);
      expect(stillRunning(capture)).toEqual(capture);
      await deployment.drains();
      expect(await deployment.endCamera()).toBe(0);
      const { status } = deployment;
      const { code, report } = await expectNothingAcknowledgedLost(deployment, [first, status]);
      expect(code).toBe(3);
      // Killed within a segment, that one is cut, and signed so. Killed between two, there is none to cut: what is
      // open is the session's end, which no segment stands for.
      const unended = report.segments.filter(({ verdict }) => verdict !== 'complete');
      expect(unended).toHaveLength(1);
      const between = unended[0]?.time === undefined;
      expect(unended[0]).toMatchObject(between ? { verdict: 'open' } : { verdict: 'cut', marked: 'cut' });
      expect(report.openedSeconds).toBeGreaterThan(first.capturedSeconds + status.capturedSeconds - 4);
      // The agent before wrote each second how far the footage went. From an open end on no opener knows what was filmed.
      expect(status.gapSeconds).toBeGreaterThan(0.3);
      if (!between) expect(Math.abs(status.gapSeconds - report.gapSeconds)).toBeLessThan(2);
    }));

  test.concurrent('capture killed: ffmpeg goes with it; the agent lives on, and so does the recording, in a new session', () =>
    filming(async (deployment) => {
      const before = await deployment.captures(2);
      const [capture] = deployment.cameraProcesses(/camera capture/);
      const ffmpeg = deployment.cameraProcesses(/^ffmpeg/);
      expect(ffmpeg).toHaveLength(1);
      process.kill(capture?.pid ?? 0, 'SIGKILL');
      await until('ffmpeg is gone', () => stillRunning(ffmpeg).length === 0);
      await until('another records', () => (deployment.status.session ?? 0) > (before.session ?? 0));
      expect((await deployment.captures(2)).pid).toBe(before.pid);
      expect(await deployment.endCamera()).toBe(0);
      const { status } = deployment;
      expect(status).toMatchObject({ sessions: 2, heldSeconds: 0, droppedSeconds: 0 });
      const { code } = await expectNothingAcknowledgedLost(deployment, [status]);
      expect(code).toBe(0);
    }));

  test.concurrent.each([
    ['SIGKILL', 'exited'],
    ['SIGSTOP', 'stalled'],
  ] as const)('ffmpeg gets %s: noticed, counted, and recorded on in a new session', (signal, cause) =>
    filming(async (deployment) => {
      const before = deployment.status;
      const { pid } = deployment.capture;
      process.kill(pid ?? 0, signal);
      await until('it is noticed', () => deployment.capture.restarts[cause] === 1);
      await until('another records', () => deployment.status.session !== before.session);
      await deployment.captures(2);
      expect(deployment.capture).toMatchObject({ state: 'running', restarts: { [cause]: 1 } });
      expect(deployment.capture.pid).not.toBe(pid);
      expect(await deployment.endCamera()).toBe(0);
      const { status } = deployment;
      expect(status).toMatchObject({ sessions: 2, heldSeconds: 0, droppedSeconds: 0 });
      const { code } = await expectNothingAcknowledgedLost(deployment, [status]);
      expect(code).toBe(0);
    }),
  );
});

describe('a broken build is found out', () => {
  test.concurrent('a server that acknowledges what it never wrote', async () => {
    const broken = breakBuild({
      file: 'server/storage/segments.ts',
      from: 'await this.#file.write(bytes, at);',
      to: '',
    });
    await filming(
      async (deployment) => {
        await deployment.captures(3);
        await deployment.endCamera();
        expect(deployment.status.acknowledgedSeconds).toBeGreaterThan(2);
        await expect(expectNothingAcknowledgedLost(deployment, [deployment.status])).rejects.toThrow(
          /toBeGreaterThan|"missing"/,
        );
      },
      { server: broken.oriel },
    ).finally(() => broken.remove());
  });

  test.concurrent('a camera that takes sent for durable', async () => {
    const broken = breakBuild({
      file: 'agent/uplink/segment-upload.ts',
      from: 'this.#sent += bytes.length;',
      to: 'this.#sent += bytes.length; this.#options.queue.acknowledge(this.segment, this.#sent);',
    });
    await filming(
      async (deployment) => {
        deployment.relay.deaden();
        await deployment.captures(2);
        await deployment.killServer();
        deployment.relay.mend();
        await deployment.startServer();
        await deployment.captures(2);
        await deployment.endCamera();
        await expect(expectNothingAcknowledgedLost(deployment, [deployment.status])).rejects.toThrow(
          /toBeGreaterThan|"missing"/,
        );
      },
      { camera: broken.oriel },
    ).finally(() => broken.remove());
  });
});
