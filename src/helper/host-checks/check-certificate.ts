import { createPrivateKey, X509Certificate } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import type { SiteConfig } from '../../config/site-schema.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';

const dayMs = 24 * 3600 * 1000;
const warnDays = 30;

/** This host's certificate for etcd is valid for a while, belongs to its key and authority, and the key is root's alone. */
export function checkCertificate({ etcd }: SiteConfig, now: () => number = Date.now): Check {
  return {
    name: 'certificate',
    look: async () => {
      if (etcd.endpoints.length === 0) return fine('no etcd in site.yaml, so none is needed');
      const rights = await lstat(etcd.keyFile).catch((cause: unknown) => {
        throw wrong(`cannot be looked at: ${cause instanceof Error ? cause.message : String(cause)}`, etcd.keyFile);
      });
      if (rights.uid !== 0 || (rights.mode & 0o077) !== 0)
        throw wrong('can be read by others than root', etcd.keyFile, `chown root: ${etcd.keyFile}; chmod 0600 it`);
      const [authority, certificate, key] = await Promise.all([
        readCertificate(etcd.caFile),
        readCertificate(etcd.certFile),
        readKey(etcd.keyFile),
      ]);
      if (!certificate.checkPrivateKey(key)) throw wrong(`does not belong to the key ${etcd.keyFile}`, etcd.certFile);
      if (!certificate.verify(authority.publicKey)) throw wrong(`was not signed by ${etcd.caFile}`, etcd.certFile);
      const daysLeft = Math.floor((Date.parse(certificate.validTo) - now()) / dayMs);
      if (daysLeft < 0) throw wrong(`has expired on ${certificate.validTo}`, etcd.certFile);
      const said = `valid until ${certificate.validTo}`;
      return daysLeft < warnDays ? warning(`${said}: ${daysLeft} days`, 'Renew it soon.') : fine(said);
    },
  };
}

async function readCertificate(file: string): Promise<X509Certificate> {
  try {
    return new X509Certificate(await readFile(file));
  } catch (cause) {
    throw wrong(`is no readable certificate: ${cause instanceof Error ? cause.message : String(cause)}`, file);
  }
}

/** The library's words are not passed on: they could quote the file. */
async function readKey(file: string): Promise<ReturnType<typeof createPrivateKey>> {
  try {
    return createPrivateKey(await readFile(file));
  } catch {
    throw wrong('is no readable private key', file);
  }
}

function wrong(fault: string, file: string, hint = 'See "Certificates" in the admin guide.'): JobError {
  return new JobError({ code: 'CONFIG_INVALID', message: `${file} ${fault}.`, hint });
}
