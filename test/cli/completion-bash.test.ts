import { testCompletionIn } from './completion-cases.ts';

testCompletionIn('bash');
