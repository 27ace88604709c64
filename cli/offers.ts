/** `anuente offers`: what was given of each offer and what is left. */
import type { Command } from 'commander'
import type { OfferReport } from '../schemas/offers.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, table, writeJson, writeLine } from './output.ts'

export function addOffers(program: Command, cli: Cli): void {
  const offers = program
    .command('offers')
    .summary('offers: codes given and left, by rule')
    .description('The offers of anuente.yaml: what was given, by which rules, and what is left. Shows no code.')
  const list = offers
    .command('list')
    .description('Every offer with what is left of its codes and its limit.')
    .action(async (options: StandardOptions) => {
      const found = (await runHubCommand(await openConfig(options, cli), 'offersList', {}, cli)) as OfferReport[]
      if (options.json) return writeJson(cli.stdout, found)
      if (found.length === 0) return writeLine(cli.stdout, 'anuente.yaml has no offers.')
      await writeLine(
        cli.stdout,
        table([
          ['offer', 'left', 'codes given', 'of the limit', 'days', 'by rule'],
          ...found.map((offer) => [
            offer.id,
            offer.left === null ? 'no end' : String(offer.left),
            offer.codes ? `${offer.codes.given} of ${offer.codes.total}` : '',
            offer.limit ? `${offer.limit.used} of ${offer.limit.total}` : '',
            offer.valid ? 'valid' : `${offer.from ?? '…'} to ${offer.to ?? '…'}`,
            offer.rules.map(({ rule, given, delivered }) => `${rule}: ${given} (${delivered} delivered)`).join('  '),
          ]),
        ]),
      )
    })
  standard(list, ['anuente offers list', 'anuente offers list --json'])
}
