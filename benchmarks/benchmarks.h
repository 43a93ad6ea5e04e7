#pragma once

#include "table.h"

// One function a subject, each in a file of its name.
void adapt(Table& table);
void forward(Table& table);
void gradient(Table& table);
void least_squares(Table& table);
void memory(Table& table);
void odeint(Table& table);
void evaluations(Table& table);
void products(Table& table);
void programs(Table& table);
void running_samples(Table& table);
void solvers(Table& table);
void splitting(Table& table);
void tape(Table& table);
