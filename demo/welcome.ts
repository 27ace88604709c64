/** What the demo says when it runs: everything in Brazilian Portuguese first, then in English. */

export interface Addresses {
  /** With the one-time link when there is no administrator yet. */
  readonly cockpit: string
  readonly firstTime: boolean
  readonly inbox: string
  readonly vendors: string
  /** Where a data subject goes. */
  readonly portal: string
  readonly metrics: string
  /** Where configuration, rules and data lie. */
  readonly dir: string
}

export function welcome({ cockpit, firstTime, inbox, vendors, portal, metrics, dir }: Addresses): string {
  const failure = `curl -X POST ${vendors}/_chaos -d "{\\"connector\\":\\"mailchimp\\",\\"fail\\":500,\\"forMs\\":60000}"`
  return `
SIMULADO: a loja, as pessoas, os pedidos e os fornecedores são inventados. Nada sai desta máquina.
SIMULATED: shop, people, orders and vendors are invented. Nothing leaves this machine.

  Cockpit                    ${cockpit}
${firstTime ? '                             (vale uma vez: crie o seu acesso / works once: make your account)\n' : ''}\
  Fornecedores / vendors     ${inbox}
  Portal do titular          ${portal}
  Métricas / metrics         ${metrics}
  Arquivos / files           ${dir}

Seis coisas para experimentar:
  1. Em Agora, veja os eventos chegarem das quatro fontes e em que saída cada um termina.
  2. Em meio minuto chegam os primeiros lembretes de carrinho à RD Station simulada. Em Entregas, compare alguém
     que recebeu com alguém do grupo de controle e pergunte "Por quê?".
  3. Na caixa dos fornecedores, abra um lembrete e o endereço em cf_anuente_why; em cf_anuente_stop, retire o
     consentimento: essa pessoa não recebe mais nada.
  4. Em Quarentena, veja os eventos que um site mandou sem nome e, de vez em quando, um grande demais.
  5. Derrube um fornecedor por um minuto e veja que os outros seguem, e que nada se perde:
     ${failure}
  6. Seja o titular: copie de um lembrete o e-mail da pessoa, entre com ele no portal (o código chega à caixa dos
     fornecedores, em mail), mude uma escolha ou peça a eliminação; depois veja o pedido em Privacidade, no cockpit.

Six things to try:
  1. In Now, watch events come in from the four sources, and the exit each of them takes.
  2. Within half a minute the first cart reminders reach the simulated RD Station. In Deliveries, compare somebody
     who got one with somebody in the control group, and ask "Why?".
  3. In the vendors' inbox, open a reminder and the address in cf_anuente_why; at cf_anuente_stop withdraw the
     consent: that person gets nothing any more.
  4. In Quarantine, see the events that a site sent without a name and, now and then, one that was too large.
  5. Break a vendor for a minute and see that the others go on, and that nothing is lost: the same command.
  6. Be the data subject: copy a person's e-mail from a reminder, enter the portal with it (the code comes to the
     vendors' inbox, under mail), change a choice or ask for erasure; then find the request under Privacy.

Ctrl-C encerra / stops. --reset começa do zero / starts afresh.
`
}
