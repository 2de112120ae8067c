import { randomBytes } from 'node:crypto';
import type { Database } from '../../server/registry/database.ts';
import type { Enrolment } from '../../server/registry/enrol.ts';
import type { Registry } from '../../server/registry/registry.ts';

export const NOW = 1_790_000_000_000;

export const enrolment = (camera: string): Enrolment => ({
  camera,
  point: randomBytes(65),
  serial: 'AB12',
  notAfterMs: NOW + 14 * 86_400_000,
});

/** A database on which `work` runs, once, right after the first statement that fits. */
function interrupted(db: Database, fits: RegExp, work: () => Promise<unknown>): Database {
  let isDone = false;
  const then = async <T>(sql: string, result: Promise<T>): Promise<T> => {
    const answer = await result;
    if (isDone || !fits.test(sql)) return answer;
    isDone = true;
    await work();
    return answer;
  };
  const queries = (on: Pick<Database, 'query' | 'one' | 'run'>) => ({
    query: <Row>(...args: Parameters<Database['query']>) => then(args[0], on.query<Row>(...args)),
    one: <Row>(...args: Parameters<Database['one']>) => then(args[0], on.one<Row>(...args)),
    run: (...args: Parameters<Database['run']>) => then(args[0], on.run(...args)),
  });
  return {
    ...queries(db),
    transaction: (body, durability) => db.transaction((inner) => body(queries(inner)), durability),
    changedElsewhere: () => db.changedElsewhere(),
    close: () => db.close(),
  };
}

/** Two connections to one empty registry, and the registry as one build has it. */
export interface Race {
  readonly first: Database;
  readonly second: Database;
  readonly Registry: typeof Registry;
}

/** Two cameras come with one claim; the second is let in right after a statement of the first. @returns what each is told, and who is in. */
export async function twoCamerasOneClaim({ first, second, Registry }: Race, after: RegExp) {
  const other = new Registry(second);
  const claim = { tokenHash: randomBytes(32), owner: randomBytes(32), expires: NOW / 1000 + 3600 };
  await other.addClaim(claim, NOW);
  const come = (to: Registry, camera: string) =>
    to.redeem(claim.tokenHash, enrolment(camera), randomBytes(8), NOW);
  let later: string | undefined;
  const registry = new Registry(
    interrupted(first, after, async () => {
      later = await come(other, 'b');
    }),
  );
  const verdicts = [await come(registry, 'a'), later];
  return { verdicts, cameras: (await other.cameras()).map(({ id }) => id) };
}

/** A camera renews its certificate, and is revoked meanwhile. @returns what it is told. */
export async function revokedWhileItRenews({ first, second, Registry }: Race): Promise<unknown> {
  const other = new Registry(second);
  await other.enrol(enrolment('a'), NOW);
  const registry = new Registry(interrupted(first, /standing FROM cameras/, () => other.revoke('a', NOW)));
  return registry.renew(enrolment('a'), NOW + 1).catch(({ code }) => code);
}

/** A camera that was admitted comes, and its admission is withdrawn meanwhile. @returns what it is told. */
export async function withdrawnWhileItComes({ first, second, Registry }: Race): Promise<unknown> {
  const other = new Registry(second);
  await other.admissions.put('a', undefined, NOW);
  const registry = new Registry(
    interrupted(first, /standing FROM cameras/, () => other.admissions.withdraw('a')),
  );
  return registry.renew(enrolment('a'), NOW + 1).catch(({ code }) => code);
}

/** Two servers note what a camera uploads. @returns what the registry has of it. */
export async function twoServersCount({ first, second, Registry }: Race): Promise<unknown> {
  const other = new Registry(second);
  await other.enrol(enrolment('a'), NOW);
  const registry = new Registry(
    interrupted(first, /usage/, () => other.usage.add([{ camera: 'a', bytes: 5, sessions: 1 }])),
  );
  await registry.usage.all();
  await registry.usage.add([{ camera: 'a', bytes: 7, sessions: 2 }]);
  return other.usage.all();
}
