/**
 * Privacy notices: what people were told, version by version. A version is published once and never
 * changes; what an answer rests on can then be shown word by word (LGPD art. 8 §2, art. 9).
 */
import { createHash } from 'node:crypto'
import type { NoticeVersion } from '../schemas/config.ts'
import { ART9_ITEMS, type Art9Item } from '../schemas/consent.ts'
import type { PurposesConfig } from './declared.ts'
import type { PurposeFinding } from './lint.ts'

/** The seven items of LGPD art. 9, as a person who writes a notice would name them. */
const ITEM_WORDS: Readonly<Record<Art9Item, string>> = {
  purpose: 'the specific purpose (art. 9 I)',
  duration: 'form and duration of the processing (art. 9 II)',
  controller: 'who the controller is (art. 9 III)',
  contact: 'how to reach the controller (art. 9 IV)',
  sharing: 'with whom data are shared and what for (art. 9 V)',
  duties: 'the responsibilities of who processes the data (art. 9 VI)',
  rights: 'the rights of the person, art. 18 by name (art. 9 VII)',
}

/** SHA-256 (hex) of the text as shown, in UTF-8. */
export const textHash = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')

/** Everything of a version that must not change once it is published. */
export function noticeHash({ since, language, text, purposes, materialChange }: NoticeVersion): string {
  return createHash('sha256')
    .update(JSON.stringify([since, language ?? 'pt-BR', textHash(text), purposes ?? null, materialChange ?? []]))
    .digest('hex')
}

/**
 * Refuses a notice that does not say what art. 9 wants said. `covers` quotes the text: a quote that is not
 * in it is no answer. Whether the words are good ones is for a person to judge.
 */
export function lintNotices(config: PurposesConfig): PurposeFinding[] {
  const findings: PurposeFinding[] = []
  const notices = config.notices ?? {}
  for (const [id, versions] of Object.entries(notices)) {
    const at = `/notices/${id}`
    const seen = new Map<number, NoticeVersion>()
    for (const [index, notice] of versions.entries()) {
      const path = `${at}/${index}`
      if (seen.has(notice.version)) findings.push(error(`${path}/version`, `Version ${notice.version} is there twice.`))
      seen.set(notice.version, notice)
      findings.push(...lintVersion(path, notice, config))
    }
    const ordered = [...seen.values()].sort((a, b) => a.version - b.version)
    for (const [index, notice] of ordered.entries()) {
      const before = ordered[index - 1]
      if (before && before.since > notice.since)
        findings.push(error(at, `Version ${notice.version} begins before version ${before.version} does.`))
      if (before && notice.materialChange === undefined)
        findings.push({
          path: `${at}/${versions.indexOf(notice)}/materialChange`,
          severity: 'warning',
          message: `Say what changed against version ${before.version}: [] for nothing material, else 9.I (purpose), 9.II (form, duration), 9.III (controller), 9.V (sharing). LGPD art. 8 §6.`,
        })
    }
  }
  if (config.notices)
    for (const [id, { notice }] of Object.entries(config.sources ?? {})) {
      if (!notice) continue
      const versions = notices[notice.id]
      if (!versions?.some(({ version }) => version === notice.version))
        findings.push(
          error(
            `/sources/${id}/notice`,
            `No text of notice ${notice.id} version ${notice.version} is configured, so nobody could show what was agreed to.`,
          ),
        )
    }
  return findings
}

function lintVersion(
  path: string,
  notice: NoticeVersion,
  { purposes, organization }: PurposesConfig,
): PurposeFinding[] {
  const findings: PurposeFinding[] = []
  const text = plain(notice.text)
  for (const item of ART9_ITEMS) {
    const quote = notice.covers[item]
    if (quote === undefined || plain(quote) === '')
      findings.push(error(`${path}/covers/${item}`, `Quote where the text says ${ITEM_WORDS[item]}.`))
    else if (!text.includes(plain(quote)))
      findings.push(
        error(`${path}/covers/${item}`, `These words are not in the text; it must say ${ITEM_WORDS[item]}.`),
      )
  }
  for (const [index, purpose] of (notice.purposes ?? []).entries())
    if (!Object.hasOwn(purposes, purpose))
      findings.push(error(`${path}/purposes/${index}`, `No purpose is called ${purpose}.`))
  if (organization) {
    if (!text.includes(plain(organization.name)))
      findings.push({
        path: `${path}/text`,
        severity: 'warning',
        message: 'The text does not name the organization (LGPD art. 9 III).',
      })
    if (organization.dpo && !text.includes(plain(organization.dpo.email)))
      findings.push({
        path: `${path}/text`,
        severity: 'warning',
        message: 'The text does not give the address of the encarregado (LGPD art. 9 IV, art. 41).',
      })
  }
  return findings
}

const plain = (text: string) => text.replace(/\s+/g, ' ').trim().toLowerCase()

const error = (path: string, message: string): PurposeFinding => ({ path, message, severity: 'error' })
