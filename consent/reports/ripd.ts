/**
 * Draft of the impact report (RIPD, LGPD art. 38 and its sole paragraph): types of data, how they are collected
 * and kept safe, and the measures, safeguards and mitigation the controller weighs. Facts come from the record of
 * art. 37; the judgement is the encarregado's, and its places say so.
 */
import type { Document, Ropa, RopaActivity } from '../../schemas/records.ts'
import type { Language } from './ropa-export.ts'

export interface Risk {
  readonly purpose: string
  readonly text: Record<Language, string>
  readonly measure: Record<Language, string>
}

export function risksOf(ropa: Ropa): Risk[] {
  const found: Risk[] = []
  for (const activity of ropa.activities) {
    const add = (pt: string, en: string, measurePt: string, measureEn: string) =>
      found.push({ purpose: activity.purpose, text: { pt, en }, measure: { pt: measurePt, en: measureEn } })
    if (activity.data.sensitive)
      add(
        'Trata dados sensíveis',
        'Handles sensitive data',
        'Base do art. 11 exigida; campos retirados sem ela',
        'A ground of art. 11 is demanded; fields are stripped without it',
      )
    if (activity.process.automated === 'harmful')
      add(
        'Decide só por automação, com possível prejuízo',
        'Decides by automation alone, with possible harm',
        'Explicação com o que mudaria o resultado; revisão a pedido (art. 20)',
        'Explanation with what would change the result; review on request (art. 20)',
      )
    if (activity.process.basis === 'legitimate_interest')
      add(
        'Repousa em legítimo interesse',
        'Rests on legitimate interest',
        'Teste de balanceamento em três fases; oposição atendida',
        'Balancing test in three phases; opposition is heeded',
      )
    for (const recipient of activity.sharing) {
      if (recipient.role === 'controller')
        add(
          `Compartilha com outro controlador: ${recipient.name}`,
          `Shares with another controller: ${recipient.name}`,
          'Consentimento específico (art. 7º, § 5º)',
          'Specific consent (art. 7 §5)',
        )
      if (recipient.country !== null && recipient.country !== 'BR')
        add(
          `Transfere para ${recipient.country}: ${recipient.name}`,
          `Transfers to ${recipient.country}: ${recipient.name}`,
          recipient.transfer ?? 'Sem fundamento do art. 33: bloqueado',
          recipient.transfer ?? 'No ground of art. 33: blocked',
        )
    }
  }
  for (const item of ropa.drift)
    if (item.kind !== 'declared_never_observed')
      found.push({
        purpose: item.subject,
        text: item.detail,
        measure: item.denied
          ? { pt: 'Negado na entrada', en: 'Denied by the gate' }
          : { pt: 'A corrigir: declarar ou deixar de enviar', en: 'To mend: declare it, or stop sending it' },
      })
  return found
}

/** @param purpose only this activity; all when absent. */
export function draftRipd(ropa: Ropa, language: Language, purpose?: string): Document {
  const activities = ropa.activities.filter((activity) => purpose === undefined || activity.purpose === purpose)
  const risks = risksOf(ropa).filter(
    (risk) => purpose === undefined || risk.purpose === purpose || risk.purpose === `purpose:${purpose}`,
  )
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const list = (items: readonly string[]) => items.map((item) => `- ${item}`).join('\n') || `- ${say('nenhum', 'none')}`
  const each = (text: (activity: RopaActivity) => string) => activities.map(text).join('\n\n')
  const first = activities[0]?.contact
  const text = `# ${say('Relatório de impacto à proteção de dados pessoais (minuta)', 'Data protection impact report (draft)')}

${ropa.organization} · ${new Date(ropa.at).toISOString().slice(0, 10)} · LGPD art. 5 XVII, art. 38

${say('Encarregado', 'Data protection officer')}: ${first?.dpo ?? say('não declarado', 'not declared')}${first?.dpoEmail ? `, ${first.dpoEmail}` : ''}

${say(
  'Minuta feita a partir da configuração e do tráfego observado. A análise (parte 4) é do controlador; o hub só reúne os fatos.',
  'A draft from configuration and observed traffic. The analysis (part 4) is the controller’s; the hub only gathers the facts.',
)}

## 1. ${say('Tipos de dados coletados', 'Types of data collected')}

${each((activity) => `### ${activity.process.title[language]} (${activity.process.article})\n\n${list([...activity.data.declared, ...activity.data.seen.map((path) => `${say('visto', 'seen')}: ${path}`)])}`)}

## 2. ${say('Metodologia da coleta', 'How it is collected')}

${each((activity) => `### ${activity.process.title[language]}\n\n${say('Fontes', 'Sources')}: ${activity.data.sources.join(', ') || say('nenhuma observada', 'none observed')}. ${say('Escopo', 'Scope')}: ${activity.process.scope}. ${say('Etapas', 'Stages')}: ${activity.process.stages.join(', ')}.\n\n${list(activity.remarks.map((item) => item[language]))}`)}

## 3. ${say('Metodologia da segurança das informações', 'How it is kept safe')}

${list((activities[0]?.security ?? []).map((item) => item[language]))}

${each((activity) => `### ${activity.process.title[language]}\n\n${list(activity.retention.map((item) => item[language]))}`)}

## 4. ${say('Medidas, salvaguardas e mecanismos de mitigação de risco', 'Measures, safeguards and mitigation of risk')}

| ${say('Finalidade', 'Purpose')} | ${say('Risco', 'Risk')} | ${say('Medida', 'Measure')} | ${say('Análise do controlador', 'Analysis of the controller')} |
| --- | --- | --- | --- |
${risks.map((risk) => `| ${risk.purpose} | ${risk.text[language].replaceAll('|', '/')} | ${risk.measure[language].replaceAll('|', '/')} | |`).join('\n')}

${say('Registro', 'Record')} ${ropa.hash}
`
  return {
    name: `ripd-${purpose ?? say('todas', 'all')}-${new Date(ropa.at).toISOString().slice(0, 10)}.md`,
    type: 'text/markdown; charset=utf-8',
    text,
  }
}
