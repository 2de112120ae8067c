import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { doorsOf } from '../no-way-in/sockets.ts';
import { ORIEL_ROOT, RunningCamera, until, withDeployment } from '../no-way-in/test-deployment.ts';

test('SIGUSR1 opens no inspector in the launcher, the agent or capture, however the launcher was started [TM-01]', () =>
  withDeployment(async (deployment) => {
    const camera = new RunningCamera(deployment, join(ORIEL_ROOT, 'oriel'), []);
    const { capturedSeconds } = await camera.captures(1);
    const node = [...camera.pids()].filter(([, command]) => command.includes('cli/main.ts'));
    expect(node).toHaveLength(3);
    for (const [pid, command] of node) {
      expect(command).toContain('--disable-sigusr1');
      process.kill(pid, 'SIGUSR1');
    }
    // The inspector's thread opens its port within milliseconds (see the control); recording goes on meanwhile.
    await camera.captures(capturedSeconds + 2);
    for (const [pid] of camera.pids()) expect(doorsOf(pid)).toEqual([]);
    expect(await camera.end()).toBe(0);
  }));

test('control: without --disable-sigusr1 the signal opens it, and the look at the sockets sees it', async () => {
  const code = 'setInterval(() => 0, 1000); console.log("ready")';
  const child = spawn(process.execPath, ['--inspect-port=0', '--eval', code], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {},
  });
  try {
    await once(child.stdout, 'data');
    const pid = child.pid ?? 0;
    expect(doorsOf(pid)).toEqual([]);
    child.kill('SIGUSR1');
    expect(await until('the inspector listens', () => doorsOf(pid)[0])).toMatch(/^tcp /);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a role gets the flag even when the launcher was started without it', () =>
  withDeployment(async (deployment) => {
    const camera = new RunningCamera(
      deployment,
      join(ORIEL_ROOT, 'cli/main.ts'),
      [],
      [process.execPath, '--disable-warning=ExperimentalWarning'],
    );
    await camera.captures(1);
    for (const [pid, command] of camera.pids()) {
      if (pid !== camera.launcher.pid && command.includes('cli/main.ts'))
        expect(command).toContain('--disable-sigusr1');
    }
    expect(await camera.end()).toBe(0);
  }));
