/**
 * Printed minutes (*ata*) of a checkpoint: a page with the signed note as text and as a QR code, to be
 * signed by hand and kept where nobody of the hub's administration can reach it. Self-contained HTML, nothing loaded.
 */
import { DateTime } from 'luxon'
import QRCode from 'qrcode'

export interface MinutesFacts {
  readonly organization: string
  readonly cnpj?: string | undefined
  /** Encarregado (LGPD art. 41). */
  readonly dpo?: { readonly name: string; readonly email: string } | undefined
  /** IANA. */
  readonly timezone: string
  readonly origin: string
  readonly size: number
  /** Hex. */
  readonly root: string
  /** Epoch milliseconds: when it was signed. */
  readonly at: number
  readonly printedAt: number
  readonly note: string
  readonly verifier: string
  /** SHA-256 of the public key, hex. */
  readonly fingerprint: string
  readonly newestEntryAt: number | null
  /** Everything shown comes from a simulation. */
  readonly simulated: boolean
}

const WORDS = {
  pt: {
    lang: 'pt-BR',
    title: 'Ata do livro de consentimento',
    simulated: 'DADOS SIMULADOS: esta ata não vale como prova.',
    intro: (organization: string) =>
      `Registra-se o estado do livro de consentimento de ${organization} no momento abaixo. Quem guardar esta folha pode mostrar depois se algum registro anterior foi alterado ou apagado.`,
    ledger: 'Livro',
    entries: 'Registros',
    newest: 'Registro mais novo',
    signed: 'Assinado em',
    printed: 'Impresso em',
    root: 'Raiz (SHA-256)',
    key: 'Chave pública',
    fingerprint: 'Impressão digital da chave (SHA-256)',
    note: 'Checkpoint assinado',
    scan: 'O código contém o checkpoint assinado, byte por byte.',
    how: 'Como conferir depois',
    steps: [
      'Leia o código e salve o texto em um arquivo, por exemplo ata.txt.',
      'No sistema: anuente ledger consistency ata.txt. A resposta deve ser OK.',
      'Sem o sistema: abra verify.html do pacote de auditoria e informe a chave pública desta folha.',
    ],
    dpo: 'Encarregado',
    witness: 'Testemunha',
    place: 'Local e data',
    none: 'nenhum',
  },
  en: {
    lang: 'en',
    title: 'Minutes of the consent ledger',
    simulated: 'SIMULATED DATA: these minutes prove nothing.',
    intro: (organization: string) =>
      `This records the state of the consent ledger of ${organization} at the time below. Whoever keeps this sheet can show later whether an earlier entry was altered or deleted.`,
    ledger: 'Ledger',
    entries: 'Entries',
    newest: 'Newest entry',
    signed: 'Signed at',
    printed: 'Printed at',
    root: 'Root (SHA-256)',
    key: 'Public key',
    fingerprint: 'Fingerprint of the key (SHA-256)',
    note: 'Signed checkpoint',
    scan: 'The code holds the signed checkpoint, byte for byte.',
    how: 'How to check later',
    steps: [
      'Read the code and save the text to a file, for example minutes.txt.',
      'On the system: anuente ledger consistency minutes.txt. The answer must be OK.',
      'Without the system: open verify.html of the audit pack and give the public key of this sheet.',
    ],
    dpo: 'Data protection officer',
    witness: 'Witness',
    place: 'Place and date',
    none: 'none',
  },
} as const

/** @returns a whole HTML document. */
export async function renderMinutes(facts: MinutesFacts, language: 'pt' | 'en'): Promise<string> {
  const words = WORDS[language]
  const time = (at: number) =>
    DateTime.fromMillis(at, { zone: facts.timezone, locale: words.lang }).toFormat("dd/MM/yyyy HH:mm:ss 'UTC'ZZ")
  const code = await QRCode.toString(facts.note, { type: 'svg', errorCorrectionLevel: 'M', margin: 4 })
  const rows: readonly (readonly [string, string])[] = [
    [words.ledger, facts.origin],
    [words.entries, String(facts.size)],
    [words.newest, facts.newestEntryAt === null ? words.none : time(facts.newestEntryAt)],
    [words.signed, time(facts.at)],
    [words.printed, time(facts.printedAt)],
    [words.root, facts.root],
    [words.key, facts.verifier],
    [words.fingerprint, facts.fingerprint.replaceAll(/(.{8})(?=.)/g, '$1 ')],
  ]
  const named = `${facts.organization}${facts.cnpj === undefined ? '' : `, CNPJ ${facts.cnpj}`}`
  return `<!doctype html>
<html lang="${words.lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(words.title)} ${facts.size}</title>
<style>
  @page { size: A4; margin: 18mm }
  body { font: 11pt/1.4 Georgia, 'Times New Roman', serif; color: #000; background: #fff; max-width: 174mm; margin: 0 auto }
  h1 { font-size: 18pt; margin: 0 0 4mm } h2 { font-size: 12pt; margin: 6mm 0 1mm }
  dl { display: grid; grid-template-columns: 46mm 1fr; gap: 1mm 4mm; margin: 4mm 0 } dt { font-weight: bold } dd { margin: 0; overflow-wrap: anywhere }
  .code { display: flex; gap: 8mm; align-items: flex-start } .code svg { width: 62mm; height: 62mm; flex: none }
  pre { font: 8pt/1.35 'Courier New', monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 }
  .sign { display: grid; grid-template-columns: 1fr 1fr; gap: 16mm 8mm; margin-top: 18mm } .sign div { border-top: .3mm solid #000; padding-top: 1mm }
  .simulated { border: .5mm solid #000; padding: 2mm; font-weight: bold }
</style>
</head>
<body>
<h1>${escapeHtml(words.title)}</h1>
${facts.simulated ? `<p class="simulated">${escapeHtml(words.simulated)}</p>\n` : ''}<p>${escapeHtml(words.intro(named))}</p>
<dl>
${rows.map(([label, value]) => `<dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}</dd>`).join('\n')}
</dl>
<h2>${escapeHtml(words.note)}</h2>
<div class="code">${code.trim()}<div><pre>${escapeHtml(facts.note)}</pre><p>${escapeHtml(words.scan)}</p></div></div>
<h2>${escapeHtml(words.how)}</h2>
<ol>${words.steps.map((step) => `<li>${escapeHtml(step)}</li>`).join('')}</ol>
<div class="sign"><div>${escapeHtml(words.place)}</div><div>${escapeHtml(words.dpo)}${facts.dpo === undefined ? '' : `: ${escapeHtml(facts.dpo.name)}, ${escapeHtml(facts.dpo.email)}`}</div><div>${escapeHtml(words.witness)}</div><div>${escapeHtml(words.witness)}</div></div>
</body>
</html>
`
}

const escapeHtml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
