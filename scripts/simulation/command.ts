import { spawn } from 'node:child_process';
import { SimulationError } from './errors.ts';

export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a command to its end, which Ctrl-C on the terminal does not hasten. */
export function run(words: readonly string[], options: CommandOptions = {}): Promise<Done> {
  const [program = '', ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      timeout: options.timeoutMs,
      signal: options.signal,
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk) => stdout.push(chunk));
    child.stderr.on('data', (chunk) => stderr.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({
        code: code ?? 1,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}

/** As `run`, for a command that has to succeed. @returns its stdout. @throws SimulationError COMMAND_FAILED. */
export async function does(words: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(words, options);
  if (code === 0) return stdout;
  const said = (stderr || stdout).trim().slice(-2000);
  throw new SimulationError('COMMAND_FAILED', `${words.slice(0, 6).join(' ')} … ended with ${code}: ${said}`);
}
