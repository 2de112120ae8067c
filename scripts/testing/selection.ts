/** Which of the tests are to run: those of every day, those that start no process, all but the long, or the long. */
export type Profile = 'everyday' | 'unit' | 'all' | 'long';

export interface Options {
  readonly profile: Profile;
  /** Only files whose path matches one, of every day or not. */
  readonly patterns: readonly RegExp[];
}

/** Test files that run in one Jest. */
export interface Lane {
  readonly name: string;
  readonly files: readonly string[];
  /** How many run at once; undefined for as many as there are cores. */
  readonly workers?: number;
  /** It runs beside the lane after it. */
  readonly beside?: true;
}

const ALL = 'test/all/';
const LONG = 'test/long/';

/** Makes whole machines, which is long at one thing: these run one at a time, beside others that wait for most of theirs. */
const MACHINES = /^test\/all\/(container|fleet|kit)[.]test/;

/** The files that a wish names. @param starters those of the files that start processes; needed for `unit` alone */
export function select(
  files: readonly string[],
  { profile, patterns }: Options,
  starters: ReadonlySet<string>,
): string[] {
  const named = (file: string) => patterns.length === 0 || patterns.some((pattern) => pattern.test(file));
  const belongs = (file: string) => {
    const everyday = !file.startsWith(ALL) && !file.startsWith(LONG);
    switch (profile) {
      case 'everyday':
        return everyday || patterns.length > 0;
      case 'unit':
        return everyday && !starters.has(file);
      case 'all':
        return !file.startsWith(LONG);
      case 'long':
        return file.startsWith(LONG);
    }
  };
  return files.filter((file) => named(file) && belongs(file));
}

/**
 * How files run on so many cores: those of every day first, one more at once than there are cores, for they wait for what they
 * start; then those of test/all/, then the long. None of these holds no file.
 */
export function lanesOf(files: readonly string[], cores: number): Lane[] {
  const machines = files.filter((file) => MACHINES.test(file));
  const rest = files.filter((file) => file.startsWith(ALL) && !MACHINES.test(file));
  const long = files.filter((file) => file.startsWith(LONG));
  const everyday = files.filter((file) => !file.startsWith(ALL) && !file.startsWith(LONG));
  const lanes: Lane[] = [
    { name: 'everyday', files: everyday, workers: cores + 1 },
    { name: 'machines', files: machines, workers: 1, ...(rest.length > 0 && { beside: true }) },
    { name: 'all', files: rest, workers: 2 },
    { name: 'long', files: long },
  ];
  return lanes.filter((lane) => lane.files.length > 0);
}
