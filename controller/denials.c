#include "denials.h"

#include "contract/reasons.h"

void denial_tell(struct recorder *recorder, const struct event_subject *subject,
                 const struct err *failure)
{
    if (failure->kind != ERR_DENIED || failure->http_status != 403)
        return;
    recorder_event(recorder, &(struct event){ .subject = *subject,
                                              .warning = true,
                                              .lasting = true,
                                              .reason = REASON_PermissionDenied,
                                              .action = "AskAPIServer",
                                              .note = failure->message });
}
