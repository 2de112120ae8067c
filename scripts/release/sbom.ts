import { type LockedPackage, lockedPackage, packageOf } from './lockfile.ts';

/** A CycloneDX 1.6 bill of materials (ECMA-424): every package that is inside, and nothing else. */

export interface SbomInput {
  readonly version: string;
  /** ISO 8601. */
  readonly released: string;
  /** Sources in the program, as esbuild names them. */
  readonly sources: readonly string[];
  /** Packages whose files are copied in as they are, by name. */
  readonly packages: readonly string[];
  /** Libraries within these, by name and version: what libvips is linked with. */
  readonly libraries: Readonly<Record<string, string>>;
}

export function makeSbom({ version, released, sources, packages, libraries }: SbomInput): string {
  const bundled = sources.flatMap((source) => packageOf(source) ?? []);
  const copied = packages.map((name) => `node_modules/${name}`);
  const places = [...new Set([...bundled, ...copied])].sort();
  const components = [
    ...places.map((place) => component(lockedPackage(place), place)),
    ...Object.entries(libraries).map(([name, libraryVersion]) => ({
      type: 'library',
      'bom-ref': `library:${name}`,
      name,
      version: libraryVersion,
      purl: `pkg:generic/${name}@${libraryVersion}`,
    })),
  ];
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: released,
      component: { type: 'firmware', 'bom-ref': 'oriel', name: 'oriel', version },
    },
    components,
    dependencies: [{ ref: 'oriel', dependsOn: components.map((one) => one['bom-ref']).sort() }],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** @param place tells apart two versions of one package. */
function component({ name, version, integrity, license }: LockedPackage, place: string) {
  const content = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex');
  return {
    type: 'library',
    'bom-ref': place.replace(/^node_modules\//, ''),
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    hashes: [{ alg: 'SHA-512', content }],
    ...(license !== undefined && { licenses: [licenseOf(license)] }),
  };
}

/** An expression of SPDX, or one identifier of it. */
function licenseOf(license: string) {
  return / (AND|OR|WITH) /.test(license) ? { expression: license } : { license: { id: license } };
}
