import { HostError } from '../../host/errors.ts';
import { type FifoLines, openFifoLines } from '../../host/fifo-lines.ts';
import { watchName } from '../../host/name-watch.ts';
import {
  COMMAND_LIMIT,
  type End,
  judgeReady,
  parseCommand,
  type Ready,
  type StartedRun,
} from './protocol.ts';

export interface RunRequestEvents {
  /** The agent wants the live run ended; `awaited`: it saw its end already, so the exit is due by itself. */
  onEndRun(why: End['reason'] | 'superseded' | 'awaited'): void;
  /** A line that is no command. */
  onRefused(): void;
}

/** What the agent asked for: the latest token not used yet, and which run it talks about. */
export interface RunRequests {
  /**
   * The latest unused token, as soon as there is one; it stays until `begin`, `drop` or a later token.
   * @throws HostError DISK_IO once the FIFO was removed or replaced: no command comes any more.
   */
  next(signal: AbortSignal): Promise<Ready>;
  /** The token is used: its run begins. */
  begin(token: Ready): void;
  /** The token's reader is gone. */
  drop(token: Ready): void;
  /** The begun run's ffmpeg is gone. */
  ended(): void;
  close(): void;
}

/** @throws HostError DISK_IO */
export function openRunRequests(path: string, events: RunRequestEvents): RunRequests {
  let started: StartedRun | null = null;
  let pending: Ready | null = null;
  let wake: (() => void) | undefined;
  let lost: HostError | undefined;

  const onReady = (token: Ready) => {
    switch (judgeReady(started, token)) {
      case 'start':
        if (pending?.agent !== token.agent || pending.ready !== token.ready) {
          pending = token;
          wake?.();
        }
        return;
      case 'await-exit':
        pending = token;
        events.onEndRun('awaited');
        return;
      case 'supersede':
        pending = null;
        started = { agent: token.agent, run: token.ready, alive: true };
        events.onEndRun('superseded');
        return;
      case 'repeat':
        return;
    }
  };
  const onEnd = (command: End) => {
    if (started?.alive && started.agent === command.agent && started.run === command.end) {
      events.onEndRun(command.reason);
    }
  };
  const lines: FifoLines = openFifoLines(path, {
    maxBytes: COMMAND_LIMIT,
    onOverlong: events.onRefused,
    onLine(line) {
      const command = parseCommand(line);
      if (command === null) {
        events.onRefused();
      } else if ('ready' in command) {
        onReady(command);
      } else {
        onEnd(command);
      }
    },
  });

  const stopWatching = watchName(path, lines.isNamed, () => {
    lost = new HostError('DISK_IO', `${path} was removed or replaced`);
    events.onEndRun('superseded');
    wake?.();
  });

  return {
    async next(signal) {
      signal.throwIfAborted();
      while (pending === null) {
        if (lost !== undefined) throw lost;
        const { promise, resolve } = Promise.withResolvers<void>();
        const awaken = () => resolve();
        wake = awaken;
        signal.addEventListener('abort', awaken, { once: true });
        await promise;
        signal.removeEventListener('abort', awaken);
        signal.throwIfAborted();
      }
      return pending;
    },
    begin(token) {
      started = { agent: token.agent, run: token.ready, alive: true };
      pending = null;
    },
    drop(token) {
      if (pending === token) {
        pending = null;
      }
    },
    ended() {
      if (started !== null) {
        started.alive = false;
      }
    },
    close() {
      stopWatching();
      lines.close();
    },
  };
}
