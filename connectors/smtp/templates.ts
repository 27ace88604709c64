/**
 * Liquid templates of mails. Values are escaped in HTML and plain in text; a subject is one line. No files and
 * no remote content: `templates` in memory make include and render find nothing. Limits keep a wrong loop from
 * stopping delivery.
 */
import { Liquid } from 'liquidjs'
import { RejectedError } from '../../core/kit/index.ts'

const COMMON = { templates: {}, ownPropertyOnly: true, parseLimit: 200_000, memoryLimit: 5_000_000 } as const
const inText = new Liquid(COMMON)
const inHtml = new Liquid({ ...COMMON, outputEscape: 'escape' })

export interface MailTemplate {
  readonly subject: string
  readonly text: string
  readonly html?: string
}

export interface WrittenMail {
  readonly subject: string
  readonly text: string
  readonly html?: string
}

/** @throws RejectedError without quoting the template or a value. */
export function writeMail(template: MailTemplate, values: Readonly<Record<string, unknown>>): WrittenMail {
  const render = (engine: Liquid, part: keyof MailTemplate, source: string): string => {
    try {
      return String(engine.parseAndRenderSync(source, { ...values }))
    } catch {
      throw new RejectedError(`the ${part} template does not render`)
    }
  }
  const subject = oneLine(render(inText, 'subject', template.subject))
  if (subject === '') throw new RejectedError('the subject is empty')
  return {
    subject,
    text: render(inText, 'text', template.text),
    ...(template.html !== undefined && { html: render(inHtml, 'html', template.html) }),
  }
}

/** The parts of a template that are no Liquid, as `name.part`. */
export function templateFlaws(templates: Readonly<Record<string, MailTemplate>>): string[] {
  return Object.entries(templates).flatMap(([name, template]) =>
    (['subject', 'text', 'html'] as const).filter((part) => flawed(template[part])).map((part) => `${name}.${part}`),
  )
}

/** Templates whose reader would see neither signed link. */
export function withoutLinks(templates: Readonly<Record<string, MailTemplate>>): string[] {
  return Object.entries(templates).flatMap(([name, { text, html }]) =>
    [text, html].every((part) => part === undefined || (part.includes('links.stop') && part.includes('links.why')))
      ? []
      : [name],
  )
}

function flawed(source: string | undefined): boolean {
  if (source === undefined) return false
  try {
    inText.parse(source)
    return false
  } catch {
    return true
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
