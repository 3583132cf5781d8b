// The files that the witness's endpoints are spoken to with: authorities, certificate, key, password.

import { readFileSync } from 'node:fs';
import type { WitnessConfig } from '../../config/config.ts';
import { readPrivateFile } from '../../config/private-file.ts';
import { BattitoError, exitCodes } from '../../errors.ts';

export interface Credentials {
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly login: { readonly user: string; readonly password: string } | null;
}

/** @throws BattitoError, exit code 78: which file cannot be used, and why */
export function readCredentials({ caFile, clientCertificate, login }: WitnessConfig): Credentials {
  return {
    ca: caFile === null ? null : readPem(caFile, 'CERTIFICATE'),
    certificate:
      clientCertificate === null ? null : readPem(clientCertificate.certificateFile, 'CERTIFICATE'),
    key: clientCertificate === null ? null : readKey(clientCertificate.keyFile),
    login: login === null ? null : { user: login.user, password: readPassword(login.passwordFile) },
  };
}

function readPem(path: string, holds: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw unusable(path, code === 'ENOENT' ? 'no such file' : `cannot be read (${code ?? message})`, cause);
  }
  if (!text.includes(`-----BEGIN ${holds}`)) throw unusable(path, `holds no ${holds.toLowerCase()} (PEM)`);
  return text;
}

function readKey(path: string): string {
  const { text } = readPrivateFile(path, {
    code: 'witness-key',
    what: 'key of the witness',
    missing: 'Give the file with the key of witness.certificate.',
    other: 'Put the key into a plain file.',
  });
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY/.test(text)) throw unusable(path, 'holds no private key (PEM)');
  return text;
}

function readPassword(path: string): string {
  const { text } = readPrivateFile(path, {
    code: 'witness-password',
    what: 'password file',
    missing: "Write the password of witness.user into the file's first line, mode 0600.",
    other: 'Put the password into a plain file.',
  });
  const password = (text.split('\n')[0] ?? '').replace(/\r$/, '');
  if (password === '') throw unusable(path, 'its first line is empty; it must be the password');
  return password;
}

function unusable(path: string, message: string, cause?: unknown): BattitoError {
  return new BattitoError('witness-file', `${path}: ${message}`, {
    exitCode: exitCodes.config,
    next: 'Mend the file, or correct what `witness` in the configuration names.',
    ...(cause === undefined ? {} : { cause }),
  });
}
