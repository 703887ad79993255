"""Every address of the homework API, one row each: routes, documents and tests follow. Docs: docs/homework-api.md."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from fhir_mappings.homework_api.verbs import VERBS
from schemas.homework import answers as said
from schemas.homework import assignments as homework
from schemas.homework import channels as ways
from schemas.homework import insight as figures
from schemas.homework import library as books
from schemas.homework import people as persons
from schemas.homework import queries, results
from service.homework_api import answers, assignments, channels, groups, insight, library, people, prescribing
from service.homework_api import results as outcomes
from service.homework_api.endpoint import Endpoint

_SUMMARIES: Final = MappingProxyType(
    {
        "publish": "Show a draft to its client, ready to be done",
        "offer": "Show a draft to its client, for them to agree",
        "accept": "Agree to what was offered",
        "start": "Begin",
        "complete": "Say that it is done, or a part of it",
        "decline": "Say that it will not be done, and what is in the way",
        "pause": "Let it rest",
        "resume": "Go on with what rested",
        "withdraw": "Take it back; the therapist's to say",
        "review": "Say that it was talked through; the therapist's to say",
        "extend": "Give more time; the therapist's to say",
        "intend": "Say when and where one means to do it, and what it is in one's own words",
        "note": "Add a note, whatever became of it",
    }
)
_FORM: Final = ("Questionnaire.s",)


_NEEDED: Final = MappingProxyType(dict.fromkeys(("publish", "offer", "withdraw"), ("ServiceRequest.ru",)))
"""What a verb needs besides the assignment: the prescription behind it."""
_MORE: Final = MappingProxyType({"complete": ("Observation.c",), "review": ("CarePlan.us",)})


def _verbs() -> Iterator[Endpoint]:
    for name, verb in VERBS.items():
        yield Endpoint(
            "POST",
            f"assignments/{{id}}/{name}",
            assignments.verb(name),
            _SUMMARIES[name],
            ("Task.ru", *_NEEDED.get(name, ())),
            gives=homework.Assignment,
            takes=verb.body,
            optional=not any(field.is_required() for field in verb.body.model_fields.values()),
            conditional=True,
            more=_MORE.get(name, ()),
        )


_BACKEND: Final = "For backends only: a token with system scopes, which are what it may be told of."
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", "me", people.me, "Who the token is of", (), persons.Me),
    Endpoint(
        "GET", "clients", people.listed, "The clients whose records the token is for", ("Patient.s",), persons.Client,
        query=queries.ClientsQuery, listing=True,
    ),
    Endpoint("GET", "clients/{client}", people.read, "One client", ("Patient.r",), persons.Client),
    Endpoint(
        "GET", "library/activities", library.activities, "What can be assigned", ("ActivityDefinition.s",), books.Activity,
        query=queries.ActivitiesQuery, listing=True,
    ),
    Endpoint(
        "GET", "library/activities/{id}", library.activity, "One activity", ("ActivityDefinition.r",), books.Activity
    ),
    Endpoint(
        "GET", "library/forms", library.list_forms, "The forms to fill in", _FORM, said.Form,
        query=queries.FormsQuery, listing=True,
    ),
    Endpoint("GET", "library/forms/{id}", library.form, "One form with its questions", ("Questionnaire.r",), said.Form),
    Endpoint("GET", "barriers", outcomes.barriers, "Words for what can get in the way", (), results.BarrierWord, listing=True),
    Endpoint(
        "GET", "assignments", assignments.listed, "Homework, what starts first on top", ("Task.s",), homework.Assignment,
        query=queries.AssignmentsQuery, listing=True,
    ),
    Endpoint(
        "POST", "assignments", prescribing.create, "Give homework: of the library, or in your own words",
        ("Patient.r", "Task.c", "ServiceRequest.c", "CarePlan.cus"), homework.Assignment, takes=homework.NewAssignment,
        status=201, more=("ActivityDefinition.r", "Questionnaire.r", "Group.r"),
    ),
    Endpoint("GET", "assignments/{id}", assignments.read, "One assignment as it stands", ("Task.r",), homework.Assignment),
    *_verbs(),
    Endpoint(
        "POST", "assignments/{id}/replace", prescribing.instead, "Give something else instead",
        ("Patient.r", "Task.cru", "ServiceRequest.cru", "CarePlan.cus"), homework.Assignment, takes=homework.Replacement,
        optional=True, status=201, conditional=True, more=("ActivityDefinition.r", "Questionnaire.r"),
    ),
    Endpoint(
        "POST", "assignments/{id}/split", prescribing.split, "Make smaller pieces of it", ("Task.cru",), homework.Assignment,
        takes=homework.Split, conditional=True,
    ),
    Endpoint(
        "POST", "assignments/{id}/answers", answers.begin, "Answer its form: a draft, or all at once",
        ("Task.ru", *_FORM, "QuestionnaireResponse.c"), said.Answers, takes=said.NewAnswers, status=201,
    ),
    Endpoint(
        "GET", "answers", answers.listed, "What was answered, newest first", ("QuestionnaireResponse.s",), said.Answers,
        query=queries.AnswersQuery, listing=True,
    ),
    Endpoint("GET", "answers/{id}", answers.read, "What was answered once", ("QuestionnaireResponse.r",), said.Answers),
    Endpoint(
        "PUT", "answers/{id}", answers.save, "Save a draft, or correct what was submitted",
        ("QuestionnaireResponse.ru", *_FORM), said.Answers, takes=said.ChangedAnswers, conditional=True,
    ),
    Endpoint(
        "POST", "answers/{id}/submit", answers.submit, "Submit a draft", ("QuestionnaireResponse.ru",), said.Answers,
        takes=said.Submission, optional=True, conditional=True, more=_FORM,
    ),
    Endpoint(
        "POST", "answers/{id}/stop", answers.stop, "End a draft that nobody goes on with", ("QuestionnaireResponse.ru",),
        said.Answers, conditional=True,
    ),
    Endpoint(
        "POST", "answers/{id}/share", answers.share, "Show private answers", ("QuestionnaireResponse.ru",), said.Answers
    ),
    Endpoint(
        "POST", "answers/{id}/unshare", answers.unshare, "Keep answers to oneself again", ("QuestionnaireResponse.ru",),
        said.Answers,
    ),
    Endpoint("GET", "ratings/kinds", outcomes.rating_kinds, "What can be rated", (), results.RatingKindTold, listing=True),
    Endpoint(
        "POST", "ratings", outcomes.rate, "Keep a rating", ("Observation.c",), results.Rating, takes=results.NewRating,
        status=201,
    ),
    Endpoint(
        "GET", "ratings", outcomes.ratings, "Ratings, newest first", ("Observation.s",), results.Rating,
        query=queries.RatingsQuery, listing=True,
    ),
    Endpoint("GET", "ratings/{id}", outcomes.read_rating, "One rating", ("Observation.r",), results.Rating),
    Endpoint(
        "POST", "ratings/{id}/increment", outcomes.increment, "Count on a frequency", ("Observation.ru",), results.Rating,
        takes=results.Increment, optional=True,
    ),
    Endpoint(
        "GET", "scores", outcomes.scores, "Totals of questionnaires, newest first", ("Observation.s",), results.Score,
        query=queries.ScoresQuery, listing=True,
    ),
    Endpoint(
        "POST", "goals", outcomes.set_goal, "Set a goal", ("Goal.c",), results.Goal, takes=results.NewGoal, status=201
    ),
    Endpoint(
        "GET", "goals", outcomes.list_goals, "Goals, the newest first", ("Goal.s",), results.Goal, query=queries.OfClient,
        listing=True,
    ),
    Endpoint("GET", "goals/{id}", outcomes.read_goal, "One goal", ("Goal.r",), results.Goal),
    Endpoint(
        "PATCH", "goals/{id}", outcomes.change_goal, "Say something anew of a goal", ("Goal.ru",), results.Goal,
        takes=results.ChangedGoal, conditional=True,
    ),
    Endpoint(
        "POST", "goals/{id}/attainment", outcomes.attain, "Say how far a goal is reached", ("Goal.r", "Observation.c"),
        results.AttainedTold, takes=results.Attained, status=201,
    ),
    Endpoint(
        "GET", "goals/{id}/attainment", outcomes.attainments, "How far a goal was reached, newest first",
        ("Observation.s",), results.AttainedTold, query=queries.Listing, listing=True,
    ),
    Endpoint(
        "GET", "clients/{client}/measures", insight.courses, "The course of measures, and what has changed",
        ("Patient.r", "Observation.s"), figures.Course, query=queries.CoursesQuery, listing=True,
    ),
    Endpoint(
        "GET", "clients/{client}/adherence", insight.adherence, "How much of what was planned was done",
        ("Patient.r", "Task.s"), figures.Adherence, query=queries.AdherenceQuery,
    ),
    Endpoint(
        "GET", "clients/{client}/summary", insight.summary, "What to begin a session with", ("Patient.r", "Task.s"),
        figures.Summary, query=queries.SummaryQuery,
    ),
    Endpoint(
        "GET", "groups", groups.listed, "Therapy groups", ("Group.s",), figures.Group, query=queries.Listing, listing=True
    ),
    Endpoint("GET", "groups/{id}", groups.read, "One group", ("Group.r",), figures.Group),
    Endpoint(
        "GET", "assignments/{id}/together", groups.together, "What a group did with its homework, without names",
        ("Task.r",), figures.Together,
    ),
    Endpoint(
        "GET", "proposals", insight.proposals, "What rules ask the therapist about, newest first", ("Task.s",),
        figures.Proposal, query=queries.ProposalsQuery, listing=True,
    ),
    Endpoint("GET", "proposals/{id}", insight.proposal, "One proposal", ("Task.r",), figures.Proposal),
    Endpoint(
        "POST", "proposals/{id}/accept", insight.accept, "Say yes to a proposal", ("Task.ru",), figures.Proposal,
        takes=figures.Answered, optional=True, conditional=True,
    ),
    Endpoint(
        "POST", "proposals/{id}/decline", insight.decline, "Say no to a proposal", ("Task.ru",), figures.Proposal,
        takes=figures.Answered, optional=True, conditional=True,
    ),
    Endpoint(
        "GET", "clients/{client}/reminders", channels.reminders, "How a client is reminded",
        ("Patient.r", "CommunicationRequest.r"), ways.Reminders,
    ),
    Endpoint(
        "PUT", "clients/{client}/reminders", channels.set_reminders, "Say how a client is reminded",
        ("Patient.r", "CommunicationRequest.u"), ways.Reminders, takes=ways.SetReminders,
    ),
    Endpoint(
        "DELETE", "clients/{client}/reminders", channels.forget_reminders, "Forget how a client is reminded",
        ("Patient.r", "CommunicationRequest.u"), status=204,
    ),
    Endpoint(
        "GET", "clients/{client}/calendar-links", channels.calendar_links, "The links into a client's calendar",
        ("Patient.r", "CommunicationRequest.r", "Task.r"), ways.CalendarLink, listing=True,
    ),
    Endpoint(
        "POST", "clients/{client}/calendar-links", channels.add_calendar_link, "Make a link into a client's calendar",
        ("Patient.r", "CommunicationRequest.u", "Task.r"), ways.CalendarLink, takes=ways.NewCalendarLink, optional=True,
        status=201,
    ),
    Endpoint(
        "POST", "clients/{client}/calendar-links/{id}/rotate", channels.rotate_calendar_link,
        "Another address in place of a link's", ("Patient.r", "CommunicationRequest.ru", "Task.r"), ways.CalendarLink,
        status=201,
    ),
    Endpoint(
        "DELETE", "clients/{client}/calendar-links/{id}", channels.end_calendar_link, "End a link",
        ("Patient.r", "CommunicationRequest.u", "Task.r"), status=204,
    ),
    Endpoint(
        "GET", "webhooks", channels.webhooks, "The app's webhooks", (), ways.Webhook, listing=True, description=_BACKEND
    ),
    Endpoint(
        "POST", "webhooks", channels.add_webhook, "Be told of what happens", (), ways.Webhook, takes=ways.SetWebhook,
        status=201, description=_BACKEND,
    ),
    Endpoint("GET", "webhooks/{id}", channels.webhook, "One webhook", (), ways.Webhook, description=_BACKEND),
    Endpoint(
        "PUT", "webhooks/{id}", channels.change_webhook, "Another address or other events", (), ways.Webhook,
        takes=ways.SetWebhook, description=_BACKEND,
    ),
    Endpoint(
        "POST", "webhooks/{id}/rotate-secret", channels.rotate_secret, "A new secret", (), ways.Webhook,
        description=_BACKEND,
    ),
    Endpoint("DELETE", "webhooks/{id}", channels.end_webhook, "End a webhook", (), status=204, description=_BACKEND),
    Endpoint(
        "GET", "webhooks/{id}/deliveries", channels.list_deliveries, "What a webhook was told, newest first", (),
        ways.Delivery, query=queries.DeliveriesQuery, listing=True, description=_BACKEND,
    ),
    Endpoint(
        "POST", "webhooks/{id}/deliveries/{delivery}/again", channels.deliver_again, "Tell it once more", (),
        ways.Delivery, description=_BACKEND,
    ),
)  # fmt: skip
