// Reads keepalived.conf of one node, or of both.

import type { Draft, Given } from './draft.ts';
import { importKeepalived } from './keepalived.ts';
import { readKeepalivedFile } from './keepalived-text.ts';
import { collectProblems } from './source.ts';

/** @throws BattitoError `import-unreadable` or `import-invalid` with every problem */
export function readKeepalived(file: string, peerFile: string | null, given: Given): Draft {
  const problems = collectProblems('mend these lines, or a copy of the file, and run the command again');
  const names = [...given.addresses.keys()];
  if (names.length !== 2) {
    const first = names[0] ?? 'lb1';
    const second = names.length === 1 ? 'OTHER' : (names[1] ?? 'lb2');
    const example = `--address ${first}=${given.addresses.get(first) ?? '192.168.1.2'} --address ${second}=192.168.1.3`;
    const found = names.length === 0 ? 'none' : names.length;
    problems.add(
      null,
      `the file does not name the two nodes, and --address named ${found}: ${example}, first the node whose file it is`,
    );
  }
  const statements = readKeepalivedFile(file, names[0] ?? null, problems);
  const peer = peerFile === null ? null : readKeepalivedFile(peerFile, names[1] ?? null, problems);
  const draft = importKeepalived({ path: file, statements, peer }, given, problems);
  problems.throwIfAny();
  return draft;
}
