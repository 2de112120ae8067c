import type { Config } from 'jest';

// Node runs our TypeScript as ES modules; Jest does the same through its VM modules (see scripts/test).
const config: Config = {
  testEnvironment: '<rootDir>/test/node-environment.ts',
  // Jest leaves a core free unless told otherwise: of two, half.
  maxWorkers: '100%',
  // Tests run in a worker even if there is one file: one that kills its process does not take the report with it.
  workerIdleMemoryLimit: '1GB',
  // A limit for tests that hang, not for slow machines.
  testTimeout: 300_000,
  testSequencer: '<rootDir>/test/longest-first.ts',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript' },
          target: 'es2024',
          experimental: { keepImportAttributes: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
};

export default config;
