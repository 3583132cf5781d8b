// A real Chromium in a place of the test network, and what is asked of every page that it shows.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { waitFor } from '../../support.ts';
import type { Place } from './hosts.ts';
import { output } from './namespaces.ts';
import type { TestNetwork } from './network.ts';

const program = '/usr/bin/chromium';
const flags = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];
/** A busy machine starts a browser in its own time. */
const patienceMs = 120_000;
const screenshots = join(import.meta.dirname, '..', '..', '..', 'test-output', 'web');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** With a new profile of its own, closed when the test ends. */
export async function useBrowser(t: ExecutionContext, network: TestNetwork, place: Place): Promise<Browser> {
  // A browser gives up what it is loading when an address comes up: the kernel's own for IPv6 take a second or two.
  const tentative = ['ip', '-n', network.namespace(place), '-o', 'address', 'show', 'tentative'];
  await waitFor('no address is tentative', async () => (await output(tentative)).trim() === '');
  const inPlace = join(network.root, `chromium-${place}`);
  writeFileSync(inPlace, `#!/bin/sh\nexec ip netns exec ${network.namespace(place)} ${program} "$@"\n`);
  chmodSync(inPlace, 0o755);
  const browser = await chromium.launch({ executablePath: inPlace, args: flags, timeout: patienceMs });
  t.teardown(() => browser.close());
  return browser;
}

/** A page in a context of its own; what the browser complains of fails the test at its end. */
export async function openPage(
  t: ExecutionContext,
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  t.teardown(() => {
    // A daemon that ends takes its connections with it, and a refusal is what a test may want to see.
    const own = complaints.filter(
      (text) => !/ERR_(INCOMPLETE_CHUNKED|CONNECTION|EMPTY_RESPONSE|NETWORK)|status of 403/.test(text),
    );
    if (own.length > 0) throw new Error(`the browser complains: ${own.join('; ')}`);
  });
  return page;
}

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** WCAG 2.2 A and AA, and axe's best practices. @returns what is broken, in words */
export async function accessibilityProblems(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  const { violations } = (await page.evaluate('axe.run(document)')) as { violations: readonly Violation[] };
  return violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`,
  );
}

/** How far the page is wider than the screen, pixels. */
export async function overhang(page: Page): Promise<number> {
  return (await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')) as number;
}

/** For a person to look at; outside of git. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}
