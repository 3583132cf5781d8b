// A fencing device that is a script of a test's own, with the contract of the fence agents. What it was told, and with
// what arguments, is kept beside it.

import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FenceDeviceConfig } from '../../../daemon/config/config.ts';
import { temporaryDirectory } from '../../support.ts';

export interface FakeAgent {
  readonly directory: string;
  readonly program: string;
  readonly config: FenceDeviceConfig;
  /** What stood on stdin, call by call, each with what its argv and environment were. */
  calls(): readonly string[];
  actions(): readonly string[];
  power(): string;
  setPower(power: 'on' | 'off'): void;
}

/** `body`: shell, in which $action is what is asked and $dir its directory; it may end by itself, or leave it to us. */
export function fakeAgent(
  t: { teardown(fn: () => void): void },
  { name = 'bmc', body = '' }: { readonly name?: string; readonly body?: string } = {},
): FakeAgent {
  const directory = temporaryDirectory(t);
  const program = join(directory, 'agent');
  writeFileSync(
    program,
    `#!/bin/sh
dir=${directory}
told=$(cat)
action=$(printf '%s\\n' "$told" | sed -n 's/^action=//p')
{ printf 'argv: %s\\n' "$*"; env; printf '%s\\n\\f' "$told"; } >> "$dir/calls"
${body}
case $action in
  on | off) echo "$action" > "$dir/power"; echo "Success" ;;
  status) read -r power < "$dir/power"; echo "Status: $power" | tr a-z A-Z; [ "$power" = on ] || exit 2 ;;
  *) exit 1 ;;
esac
`,
  );
  chmodSync(program, 0o755);
  const powerFile = join(directory, 'power');
  writeFileSync(powerFile, 'on\n');
  const calls = () => {
    const file = join(directory, 'calls');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\f').slice(0, -1) : [];
  };
  return {
    directory,
    program,
    config: { name, kind: 'script', program, options: { ip: '10.0.0.11' }, plugs: {}, secrets: null },
    calls,
    actions: () => calls().map((call) => /^action=(.*)$/m.exec(call)?.[1] ?? '?'),
    power: () => readFileSync(powerFile, 'utf8').trim(),
    setPower: (power) => writeFileSync(powerFile, `${power}\n`),
  };
}
