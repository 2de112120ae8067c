import { testCompletionIn } from '../cli/completion-cases.ts';

/** As test/cli/completion-bash.test.ts, for shells that have to be installed for it. */

testCompletionIn('zsh');
testCompletionIn('fish');
