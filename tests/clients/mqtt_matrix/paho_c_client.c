/* Paho's C client for mqtt_matrix.py (README.md). */
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kLine = 1024, kWaitMs = 30000 };
static MQTTClient client;
static int five;

static int encode(const char* word, char** payload) {
  int size = word[0] == '*' ? atoi(word + 1) : (int)strlen(word);
  *payload = malloc((size_t)size + 1);
  for (int i = 0; i < size; ++i) (*payload)[i] = word[0] == '*' ? (char)(i % 251) : word[i];
  return size;
}

static int heard(void* context, char* topic, int length, MQTTClient_message* message) {
  char word[kLine] = {0};
  (void)context;
  (void)length;
  if (message->payloadlen < 100) {
    memcpy(word, message->payload, (size_t)message->payloadlen);
  } else {
    char* expected;
    snprintf(word, sizeof word, "*%d", message->payloadlen);
    encode(word, &expected);
    if (memcmp(expected, message->payload, (size_t)message->payloadlen) != 0) strcpy(word, "damaged");
    free(expected);
  }
  printf("message %s %d %d %s\n", topic, message->qos, message->retained, word);
  fflush(stdout);
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return 1;
}

static int open_client(const char* url, const char* id, int clean, const char* will_topic, char* will_payload) {
  MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
  MQTTClient_connectOptions plain = MQTTClient_connectOptions_initializer;
  MQTTClient_connectOptions newer = MQTTClient_connectOptions_initializer5;
  MQTTClient_connectOptions* options = five ? &newer : &plain;
  MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
  MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
  MQTTProperties properties = MQTTProperties_initializer;
  MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = clean ? 0 : 3600};
  create.MQTTVersion = five ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  int code = MQTTClient_createWithOptions(&client, url, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
  if (code != MQTTCLIENT_SUCCESS) return code;
  MQTTClient_setCallbacks(client, NULL, NULL, heard, NULL);
  options->MQTTVersion = create.MQTTVersion;
  if (five) {
    options->cleanstart = clean;
  } else {
    options->cleansession = clean;
  }
  if (strncmp(url, "ssl", 3) == 0 || strncmp(url, "wss", 3) == 0) {
    tls.trustStore = getenv("CAFILE");
    tls.verify = 1;
    options->ssl = &tls;
  }
  if (will_topic != NULL) {
    will.topicName = will_topic;
    will.message = will_payload;
    will.qos = 1;
    options->will = &will;
  }
  if (!five) return MQTTClient_connect(client, options);
  MQTTProperties_add(&properties, &expiry);
  MQTTResponse response = MQTTClient_connect5(client, options, &properties, NULL);
  code = response.reasonCode;
  MQTTResponse_free(response);
  return code;
}

int main(void) {
  static char line[kLine];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char* words[8] = {0};
    int count = 0, code = 0;
    const char* said = "";
    for (char* word = strtok(line, " \n"); word != NULL && count < 8; word = strtok(NULL, " \n")) words[count++] = word;
    if (count == 0) continue;
    if (strcmp(words[0], "connect") == 0) {
      five = words[2][0] == '5';
      code = open_client(words[1], words[3], words[4][0] == '1', words[5], words[6]);
      said = "connected";
    } else if (strcmp(words[0], "subscribe") == 0) {
      int qos = atoi(words[2]);
      if (five) {
        MQTTResponse response = MQTTClient_subscribe5(client, words[1], qos, NULL, NULL);
        code = (int)response.reasonCode > 2 ? (int)response.reasonCode : 0;
        MQTTResponse_free(response);
      } else {
        code = MQTTClient_subscribe(client, words[1], qos);
      }
      said = "subscribed";
    } else if (strcmp(words[0], "publish") == 0) {
      char* payload;
      int size = encode(words[4], &payload), qos = atoi(words[2]), retain = words[3][0] == '1';
      MQTTClient_deliveryToken token = 0;
      if (five) {
        MQTTResponse response = MQTTClient_publish5(client, words[1], size, payload, qos, retain, NULL, &token);
        code = response.reasonCode;
        MQTTResponse_free(response);
      } else {
        code = MQTTClient_publish(client, words[1], size, payload, qos, retain, &token);
      }
      if (code == 0) code = MQTTClient_waitForCompletion(client, token, kWaitMs);
      free(payload);
      said = "published";
    } else if (strcmp(words[0], "disconnect") == 0) {
      code = five ? MQTTClient_disconnect5(client, 1000, MQTTREASONCODE_SUCCESS, NULL) : MQTTClient_disconnect(client, 1000);
      MQTTClient_destroy(&client);
      said = "disconnected";
    }
    if (code == 0) {
      printf("%s\n", said);
    } else {
      printf("error %s: %d\n", words[0], code);
    }
    fflush(stdout);
  }
  return 0;
}
