import { writeFileSync } from 'node:fs';
import type { Fleet } from '../fleet.ts';
import { plot, type Series } from '../plot.ts';
import { type Finding, finding, type Scene } from '../scene.ts';
import { pause } from '../wait.ts';

/** One process at one time. */
interface Sample {
  readonly at: number;
  readonly memoryMib: number;
  readonly handles: number;
}

const SAMPLES = 240;
const SHORTEST_INTERVAL = 2;
/** In less than this nothing can be said about growth, s. */
const LONG_ENOUGH = 600;
/** What a process in good order may grow by between the second and the last quarter. */
const GROWTH = { factor: 1.15, mib: 8, handles: 8 };

/** Everything in good order, for long: nothing may grow. */
export const soak: Scene = {
  name: 'soak',
  title: 'nothing happens, for long',
  seconds: 3600,
  async play({ fleet, seconds, say, plotFile }) {
    const samples = new Map<string, Sample[]>();
    const from = performance.now();
    const passed = () => (performance.now() - from) / 1000;
    const interval = Math.max(SHORTEST_INTERVAL, seconds / SAMPLES);
    for (let told = 0; passed() < seconds; ) {
      for (const [name, sample] of await sampleAll(fleet, passed())) {
        samples.set(name, [...(samples.get(name) ?? []), sample]);
      }
      if (passed() - told > 300) {
        told = passed();
        say(`${Math.round(told / 60)} of ${Math.round(seconds / 60)} minutes`);
      }
      await pause(Math.min(interval, Math.max(0, seconds - passed())) * 1000, fleet.signal);
    }
    writeFileSync(plotFile, curves(samples));
    say(`memory and file handles over time: ${plotFile}`);
    return [...samples].map(([name, each]) => judge(name, each));
  },
};

async function sampleAll(fleet: Fleet, at: number): Promise<[string, Sample][]> {
  const cameras = fleet.cameras.map(async (camera): Promise<[string, Sample][]> => {
    const pid = (await fleet.status(camera))?.status.pid;
    return pid === undefined ? [] : [[`${camera.name}, agent`, await sample(fleet, camera.name, pid, at)]];
  });
  return [['server', await sample(fleet, 'server', 1, at)], ...(await Promise.all(cameras)).flat()];
}

async function sample(fleet: Fleet, service: string, pid: number, at: number): Promise<Sample> {
  const line = `sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/${pid}/status; ls /proc/${pid}/fd | wc -l`;
  const [kib = '', handles = ''] = (
    await fleet.docker('exec', await fleet.container(service), 'sh', '-c', line)
  ).split('\n');
  return { at, memoryMib: Number(kib) / 1024, handles: Number(handles) };
}

function judge(name: string, samples: readonly Sample[]): Finding {
  const early = quarter(samples, 1);
  const late = quarter(samples, 3);
  const short = (samples.at(-1)?.at ?? 0) < LONG_ENOUGH;
  const flat =
    late.memoryMib <= early.memoryMib * GROWTH.factor + GROWTH.mib &&
    late.handles <= early.handles + GROWTH.handles;
  const moved = (from: number, to: number) => `${Math.round(from)} → ${Math.round(to)}`;
  const what = `${name}: memory ${moved(early.memoryMib, late.memoryMib)} MiB, file handles ${moved(early.handles, late.handles)}`;
  return finding(short ? `${what} (too short to judge)` : what, flat || short);
}

/** Medians of a quarter of the samples. */
function quarter(samples: readonly Sample[], which: 0 | 1 | 2 | 3): Omit<Sample, 'at'> {
  const part = samples.slice(
    Math.floor((samples.length * which) / 4),
    Math.ceil((samples.length * (which + 1)) / 4),
  );
  const median = (values: readonly number[]) =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return {
    memoryMib: median(part.map((each) => each.memoryMib)),
    handles: median(part.map((each) => each.handles)),
  };
}

function curves(samples: ReadonlyMap<string, readonly Sample[]>): string {
  const series = (of: (sample: Sample) => number): Series[] =>
    [...samples].map(([name, each]) => ({ name, points: each.map((one) => [one.at, of(one)] as const) }));
  return plot([
    { title: 'resident memory, MiB', series: series(({ memoryMib }) => memoryMib) },
    { title: 'open file handles', series: series(({ handles }) => handles) },
  ]);
}
