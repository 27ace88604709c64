___TERMS_OF_SERVICE___

By creating or modifying this file you agree to Google Tag Manager's Community
Template Gallery Developer Terms of Service available at
https://developers.google.com/tag-manager/gallery-tos (or such other URL as
Google may provide), as modified from time to time.


___INFO___

{
  "type": "TAG",
  "id": "cvt_temp_public_id",
  "version": 1,
  "securityGroups": [],
  "displayName": "Anuente: evento do servidor",
  "categories": [
    "ANALYTICS",
    "MARKETING"
  ],
  "brand": {
    "id": "brand_dummy",
    "displayName": "Anuente",
    "thumbnail": ""
  },
  "description": "Envia o evento que chegou ao contêiner de servidor, com o estado do consentimento, ao seu hub Anuente.",
  "containerContexts": [
    "SERVER"
  ]
}


___TEMPLATE_PARAMETERS___

[
  {
    "type": "TEXT",
    "name": "hubUrl",
    "displayName": "Endereço do hub",
    "simpleValueType": true,
    "help": "Com https, sem caminho. Exemplo: https://hub.loja.example",
    "valueValidators": [
      {
        "type": "NON_EMPTY",
        "errorMessage": "Informe o endereço do hub."
      },
      {
        "type": "REGEX",
        "args": [
          "^https://[^/?#]+/?$"
        ],
        "errorMessage": "Use um endereço https sem caminho, como https://hub.loja.example"
      }
    ]
  },
  {
    "type": "TEXT",
    "name": "sourceId",
    "displayName": "Id da fonte",
    "simpleValueType": true,
    "help": "O nome da fonte gtm na configuração do hub.",
    "valueHint": "tag",
    "valueValidators": [
      {
        "type": "NON_EMPTY",
        "errorMessage": "Informe o id da fonte."
      }
    ]
  },
  {
    "type": "TEXT",
    "name": "token",
    "displayName": "Token da fonte",
    "simpleValueType": true,
    "help": "O token da fonte na configuração do hub, ou o apiSecret se não houver token. Quem edita o contêiner o vê.",
    "valueValidators": [
      {
        "type": "NON_EMPTY",
        "errorMessage": "Informe o token da fonte."
      }
    ]
  },
  {
    "type": "GROUP",
    "name": "event",
    "displayName": "Evento",
    "groupStyle": "ZIPPY_OPEN",
    "subParams": [
      {
        "type": "TEXT",
        "name": "eventName",
        "displayName": "Nome do evento",
        "simpleValueType": true,
        "help": "Vazio: o nome que chegou ao servidor."
      },
      {
        "type": "GROUP",
        "name": "parameterGroup",
        "displayName": "Parâmetros a acrescentar ou trocar",
        "groupStyle": "ZIPPY_CLOSED",
        "subParams": [
          {
            "type": "SIMPLE_TABLE",
            "name": "parameters",
            "displayName": "",
            "simpleTableColumns": [
              {
                "defaultValue": "",
                "displayName": "Nome",
                "name": "name",
                "type": "TEXT",
                "isUnique": true,
                "valueValidators": [
                  {
                    "type": "NON_EMPTY",
                    "errorMessage": "Informe o nome do parâmetro."
                  }
                ]
              },
              {
                "defaultValue": "",
                "displayName": "Valor",
                "name": "value",
                "type": "TEXT"
              }
            ],
            "newRowButtonText": "Adicionar parâmetro"
          }
        ]
      }
    ]
  },
  {
    "type": "GROUP",
    "name": "person",
    "displayName": "Pessoa",
    "groupStyle": "ZIPPY_CLOSED",
    "subParams": [
      {
        "type": "CHECKBOX",
        "name": "sendUserData",
        "checkboxText": "Enviar user_data (e-mail, telefone, endereço)",
        "simpleValueType": true,
        "defaultValue": false,
        "help": "Com e-mail ou telefone o hub reconhece a pessoa. Ele pergunta pelo consentimento antes de usar."
      },
      {
        "type": "CHECKBOX",
        "name": "sendIp",
        "checkboxText": "Enviar o endereço IP",
        "simpleValueType": true,
        "defaultValue": false
      }
    ]
  }
]


___SANDBOXED_JS_FOR_SERVER___

const getAllEventData = require('getAllEventData');
const JSON = require('JSON');
const logToConsole = require('logToConsole');
const Object = require('Object');
const encodeUriComponent = require('encodeUriComponent');
const sendHttpRequest = require('sendHttpRequest');

const TIMEOUT = 5000; // milliseconds

// What Google's own server products tell each other, and what this tag was not asked to hand on.
const left = (name) =>
  name.indexOf('x-sst-') === 0 ||
  (name === 'user_data' && !data.sendUserData) ||
  (name === 'ip_override' && !data.sendIp);

const log = (text) => logToConsole('Anuente: ' + text);

const received = getAllEventData();
const event = {};
Object.keys(received).forEach((name) => {
  if (!left(name)) event[name] = received[name];
});
if (data.eventName) event.event_name = data.eventName;
(data.parameters || []).forEach((row) => {
  event[row.name] = row.value;
});

const host = data.hubUrl.charAt(data.hubUrl.length - 1) === '/' ? data.hubUrl.slice(0, -1) : data.hubUrl;

sendHttpRequest(
  host + '/in/' + encodeUriComponent(data.sourceId),
  {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-anuente-token': data.token },
    timeout: TIMEOUT
  },
  JSON.stringify(event)
).then((answer) => {
  if (answer.statusCode >= 200 && answer.statusCode < 300) return data.gtmOnSuccess();
  log('o hub respondeu ' + answer.statusCode + (answer.statusCode === 401 ? '; confira o id da fonte e o token.' : '.'));
  data.gtmOnFailure();
}, () => {
  log('o hub não respondeu.');
  data.gtmOnFailure();
});


___SERVER_PERMISSIONS___

[
  {
    "instance": {
      "key": {
        "publicId": "logging",
        "versionId": "1"
      },
      "param": [
        {
          "key": "environments",
          "value": {
            "type": 1,
            "string": "debug"
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "read_event_data",
        "versionId": "1"
      },
      "param": [
        {
          "key": "eventDataAccess",
          "value": {
            "type": 1,
            "string": "any"
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  },
  {
    "instance": {
      "key": {
        "publicId": "send_http",
        "versionId": "1"
      },
      "param": [
        {
          "key": "allowedUrls",
          "value": {
            "type": 1,
            "string": "any"
          }
        }
      ]
    },
    "clientAnnotations": {
      "isEditedByUser": true
    },
    "isRequired": true
  }
]


___TESTS___

scenarios:
- name: The event goes to the hub
  code: |-
    runCode(mockData);
    assertThat(sent[0].url).isEqualTo('https://hub.loja.example/in/tag');
    assertThat(sent[0].headers['x-anuente-token']).isEqualTo('token-da-camada');
    assertThat(sent[0].body).contains('"event_name":"purchase"');
    assertApi('gtmOnSuccess').wasCalled();
- name: Contact data and address stay where nobody asked for them
  code: |-
    runCode(mockData);
    assertThat(sent[0].body).doesNotContain('ana@');
    assertThat(sent[0].body).doesNotContain('203.0.113.9');
- name: A refusal is a failure
  code: |-
    status = 401;
    runCode(mockData);
    assertApi('gtmOnFailure').wasCalled();
    assertApi('gtmOnSuccess').wasNotCalled();
setup: |-
  const mockData = {
    hubUrl: 'https://hub.loja.example',
    sourceId: 'tag',
    token: 'token-da-camada',
    sendUserData: false,
    sendIp: false
  };
  const sent = [];
  let status = 200;
  mock('getAllEventData', () => ({
    event_name: 'purchase',
    client_id: '11.22',
    transaction_id: 'P-1',
    ip_override: '203.0.113.9',
    user_data: { email_address: 'ana@loja.example' }
  }));
  mock('sendHttpRequest', (url, options, body) => {
    sent.push({ url: url, headers: options.headers, body: body });
    return { then: (resolve) => resolve({ statusCode: status }) };
  });


___NOTES___

Licença: Apache-2.0.

Envia ao hub, por POST em /in/<id da fonte>, o que getAllEventData devolve. O consentimento segue em x-ga-gcd e x-ga-gcs, como
chegou. user_data e IP só vão quando marcados. Uma resposta fora de 200 a 299 é falha da tag.
