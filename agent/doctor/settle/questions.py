"""Every question in the order in which it is asked: what is cheap first, what builds engines last."""

from collections.abc import Mapping

from agent.doctor.settle import cuda, power, system, tensorrt
from agent.doctor.settle.question import Question

QUESTIONS: Mapping[str, Question] = {
    question.name: question
    for questions in (system.QUESTIONS, power.QUESTIONS, cuda.QUESTIONS, tensorrt.QUESTIONS)
    for question in questions
}
