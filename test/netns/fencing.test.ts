// Real daemons with the real fence_ipmilan against real ipmi_sim: a silent node is switched off before anything of it is
// started here; a device that is away, or lies, starts nothing; and a person's word does.

import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { waitFor } from '../support.ts';
import type { HostName } from './support/hosts.ts';
import { guests, type Office, useOffice } from './support/office.ts';

async function useFencedOffice(t: ExecutionContext): Promise<Office> {
  const office = await useOffice(t, { fencing: true });
  await office.settled('primary');
  t.is((await office.status('secondary')).tier, 'fenced');
  return office;
}

async function codes(office: Office, host: HostName): Promise<string[]> {
  return (await office.history(host)).map(({ code }) => code);
}

async function runningOn(office: Office, host: HostName): Promise<string[]> {
  const pids = await Promise.all(guests.map((guest) => office.guestPid(host, guest)));
  return guests.filter((_, index) => pids[index] !== null);
}

/** Every command line of this machine that shows `text`; the one who looks has it in no argument. */
function commandLinesWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      } catch {
        return ''; // It has ended meanwhile.
      }
    })
    .filter((line) => line.includes(text));
}

test('a host that hangs is switched off, and only then taken over; fence on brings it back', async (t) => {
  const office = await useFencedOffice(t);
  const { bmcs, network } = office;
  const leaks = new Set<string>();
  const spy = setInterval(() => {
    for (const line of commandLinesWith(bmcs.password)) leaks.add(line);
  }, 20);
  t.teardown(() => clearInterval(spy));

  const drill = await office.battito('secondary', 'drill', 'fence');
  t.is(drill.exitCode, 0, drill.stderr);
  t.regex(drill.stdout, /bmc-primary would do .*\n.*primary can be switched off from here/);
  t.deepEqual(bmcs.told, [], 'the drill has harmed nobody');
  const checked = await office.battito('secondary', 'check');
  t.regex(checked.stdout, /bmc-primary: primary is on/);

  // Its kernel goes on answering, so without a device nobody could know.
  await network.freeze('primary');
  await office.waitForPhase('secondary', 'active');
  t.deepEqual(bmcs.told, [{ host: 'primary', to: 'off' }]);
  t.is(bmcs.says('primary'), 'off');
  t.deepEqual(await runningOn(office, 'primary'), [], 'what was frozen is gone');
  for (const guest of guests) {
    await office.counts(guest);
    t.is(office.starts(guest).length, 2);
  }
  const noted = await codes(office, 'secondary');
  const order = ['fence-drill', 'fencing', 'fenced', 'take-over'].map((code) => noted.indexOf(code));
  t.false(order.includes(-1), noted.join(' '));
  t.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
    'off comes first',
  );
  t.is((await office.status('secondary')).verdict.kind, 'fenced');

  const shown = await office.battito('secondary', 'fence', 'status', 'primary');
  t.regex(shown.stdout, /^primary {2}bmc-primary {2}off /);
  const on = await office.battito('secondary', 'fence', 'on', 'primary');
  t.is(on.exitCode, 0, on.stderr);
  t.deepEqual(bmcs.told.at(-1), { host: 'primary', to: 'on' });
  await office.startDaemon('primary');
  await office.settled('secondary');
  t.is(bmcs.told.length, 2, 'nobody is switched off for having come back');

  clearInterval(spy);
  t.deepEqual([...leaks], []);
  const logs = `${await office.log('secondary')}${JSON.stringify(await office.history('secondary'))}`;
  t.false(logs.includes(bmcs.password));
  t.is(bmcs.failure, null);
});

test('a device that does not answer: nothing is started, there is an alarm, and fence confirm releases it', async (t) => {
  const office = await useFencedOffice(t);
  const { bmcs, network } = office;
  await bmcs.unplug('primary');
  await network.freeze('primary');
  await waitFor('it is told', async () => (await codes(office, 'secondary')).includes('fence-failed'));
  await office.waitForPhase('secondary', 'blocked');
  const { attention } = await office.status('secondary');
  t.true(
    attention.some(
      ({ severity, next }) => severity === 'alarm' && next.includes('battito fence confirm primary'),
    ),
  );
  const failed = (await office.history('secondary')).find(({ code }) => code === 'fence-failed');
  t.regex(failed?.message ?? '', /bmc-primary: .*(did not end in time|does not answer|timed out)/i);
  t.deepEqual(await runningOn(office, 'secondary'), []);

  const early = await office.battito('secondary', 'fence', 'confirm', 'primary', '--yes');
  t.is(early.exitCode, 1);
  t.regex(early.stderr, /primary is not off: .*still answers/);
  await network.powerLoss('primary');
  const told = await waitFor('its addresses are silent', async () => {
    const answer = await office.battito('secondary', 'fence', 'confirm', 'primary', '--yes');
    if (answer.exitCode !== 0) throw new Error(answer.stderr);
    return answer;
  });
  t.regex(told.stdout, /because the operator says so/);
  await office.waitForPhase('secondary', 'active');
  const said = (await office.history('secondary')).filter(({ code }) => code === 'operator-said').at(-1);
  t.regex(said?.message ?? '', /battito fence confirm primary \(root.*, no terminal\)/);
});

test('a device that ignores what it is told: its status gives it away, and nothing is started', async (t) => {
  const office = await useFencedOffice(t);
  office.bmcs.mode('primary', 'ignores');
  await office.network.freeze('primary');
  await waitFor('it is told', async () => (await codes(office, 'secondary')).includes('fence-failed'));
  const failed = (await office.history('secondary')).find(({ code }) => code === 'fence-failed');
  t.regex(failed?.message ?? '', /bmc-primary has not switched primary off: .*; its status says on/);
  await office.waitForPhase('secondary', 'blocked');
  t.deepEqual(await runningOn(office, 'secondary'), []);

  // It comes to its senses: the daemon asks again by itself.
  office.bmcs.mode('primary', 'obeys');
  await office.waitForPhase('secondary', 'active');
  t.is(office.bmcs.says('primary'), 'off');
});

test('a device that lies in all it says: the node still answers, and nothing is started', async (t) => {
  const office = await useFencedOffice(t);
  office.bmcs.mode('primary', 'lies');
  await office.network.freeze('primary');
  await waitFor('it is told', async () => (await codes(office, 'secondary')).includes('fence-belied'));
  t.is(office.bmcs.says('primary'), 'off');
  t.deepEqual(await runningOn(office, 'secondary'), []);
  t.not(await office.phase('secondary'), 'active');
  t.is((await runningOn(office, 'primary')).length, guests.length);
});

test('nodes that are parted, both with a way to the devices: one survives, and no loop follows', async (t) => {
  const office = await useFencedOffice(t);
  const { bmcs, network } = office;
  await network.part();
  const hosts: readonly HostName[] = ['primary', 'secondary'];
  await waitFor('one is switched off', () => bmcs.told.length > 0);
  const dead = bmcs.told[0]?.host ?? 'primary';
  const survivor = hosts.find((host) => host !== dead) ?? 'primary';
  await office.waitForPhase(survivor, 'active');
  for (const guest of guests) await office.counts(guest);
  t.deepEqual(await runningOn(office, dead), []);
  t.is(bmcs.told.length, 1, 'who is off stays off, and shoots nobody');
  t.is(bmcs.says(survivor), 'on');
});

test('wrong password, wrong option, no agent: check names each with what mends it', async (t) => {
  const office = await useFencedOffice(t);
  const { bmcs, configFile } = office;
  const sound = readFileSync(configFile, 'utf8');
  const told = async (edit: (text: string) => string) => {
    writeFileSync(configFile, edit(sound));
    const { stdout } = await office.battito('secondary', 'check');
    writeFileSync(configFile, sound);
    return stdout.replaceAll(/\s+/g, ' ');
  };
  t.regex(
    await told((text) => text.replaceAll('cipher:', 'ciphr:')),
    /bmc-primary: the agent has no option ciphr .* mend: cipher/,
  );
  t.regex(
    await told((text) => text.replaceAll('fence_ipmilan', 'fence_ipmilna')),
    /fence_ipmilna is not installed .* mend: apt-get install fence-agents/,
  );
  chmodSync(bmcs.secretsFile, 0o644);
  t.regex(await told((text) => text), /others may use .*fence-secrets: its mode is 0644 mend: chmod 0600/);
  chmodSync(bmcs.secretsFile, 0o600);
  writeFileSync(bmcs.secretsFile, 'username=battito\npassword=not-it-at-all\n');
  const wrong = await told((text) => text);
  t.regex(wrong, /bmc-primary does not tell the power of primary: .*wrong address, user or password/);
  t.false(wrong.includes('not-it-at-all'));
});
