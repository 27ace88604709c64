/** `anuente doctor --privacy`: what unknown consent costs, which withdrawals hang, and which destinations have no ground. */
import { loadPurposes } from '../../consent/purposes.ts'
import type { LoadedConfig } from '../config.ts'
import type { Finding } from '../doctor.ts'
import type { StateStore } from '../stores/open.ts'
import { readGaps } from './gaps.ts'
import { readPropagation } from './propagation.ts'

const DAY_MS = 86_400_000
const MOST = 20

/** @param now epoch milliseconds. */
export async function* examinePrivacy(
  loaded: LoadedConfig,
  state: StateStore,
  { language, now, days = 30 }: { readonly language: 'pt' | 'en'; readonly now: number; readonly days?: number },
): AsyncGenerator<Finding> {
  const from = now - days * DAY_MS
  const { items } = await readGaps(state.db, { purposes: loadPurposes(loaded.config), config: loaded.config, from })
  const pt = language === 'pt'
  for (const { title, purpose, events, people, sentence, remedy } of items.slice(0, MOST))
    yield {
      check: 'unlock',
      status: 'warn',
      text: pt
        ? `${sentence.pt} ${title.pt} (${purpose}): cerca de ${people} ${people === 1 ? 'pessoa' : 'pessoas'} e ${events} ${events === 1 ? 'evento' : 'eventos'} em ${days} dias.`
        : `${sentence.en} ${title.en} (${purpose}): about ${people} ${people === 1 ? 'person' : 'people'} and ${events} ${events === 1 ? 'event' : 'events'} in ${days} days.`,
      todo: remedy[language],
    }
  if (items.length === 0)
    yield {
      check: 'unlock',
      status: 'ok',
      text: pt ? 'Nenhum evento esperou por consentimento.' : 'No event waited for consent.',
    }

  const { tools } = await readPropagation(state.db, from)
  for (const { destination, withdrawals, confirmed, waiting, failed, noCall, p50Ms, p99Ms } of tools) {
    const lag = (ms: number | null) => (ms === null ? '–' : `${(ms / 1000).toFixed(1)} s`)
    const text = pt
      ? `${destination}: ${withdrawals} ${withdrawals === 1 ? 'revogação' : 'revogações'}, ${confirmed} confirmadas (metade em ${lag(p50Ms)}, 99% em ${lag(p99Ms)}), ${waiting} a caminho, ${failed} sem sucesso, ${noCall} sem chamada.`
      : `${destination}: ${withdrawals} ${withdrawals === 1 ? 'withdrawal' : 'withdrawals'}, ${confirmed} confirmed (half within ${lag(p50Ms)}, 99 % within ${lag(p99Ms)}), ${waiting} on the way, ${failed} failed, ${noCall} without a call.`
    if (failed > 0)
      yield {
        check: 'propagation',
        status: 'fail',
        text,
        todo: pt
          ? `Retire estas pessoas à mão em ${destination} (LGPD art. 18 §6): anuente redrive deliveries --destination ${destination}`
          : `Take these people out by hand at ${destination} (LGPD art. 18 §6): anuente redrive deliveries --destination ${destination}`,
      }
    else yield { check: 'propagation', status: 'ok', text }
  }
}
